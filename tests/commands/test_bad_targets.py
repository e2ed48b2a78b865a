"""Wrong masks and boxes from the command line: refused by name, or mended, counted and told."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from .things import TINY_OF, add_boxes, add_labelled_boxes, add_masks, mask

QUIET = {task: (*words, "log.looks=none") for task, words in TINY_OF.items()}


def put_mask(values: np.ndarray):
    return lambda data: Image.fromarray(values).save(data / "train_masks" / "c_mask.png")


def put_rows(**changes):
    """Change cells of the last row, which is image f's."""

    def spoil(data: Path) -> None:
        table = pd.read_csv(data / "train.csv")
        for column, value in changes.items():
            table[column] = table[column].astype(object)
            table.loc[len(table) - 1, column] = value
        table.to_csv(data / "train.csv", index=False)

    return spoil


def put_box(text: str):
    return put_rows(bbox=text)


REFUSED = {
    "a mask of another size": (add_masks, put_mask(np.zeros((64, 48), np.uint8)), "48 x 64"),
    "unknown values in a mask": (add_masks, put_mask(mask() * 7), "got 0, 7"),
    "a mask in colours": (
        add_masks,
        put_mask(np.dstack([mask() * v for v in (9, 8, 7)])),
        "colour",
    ),
    "a mask that is missing": (
        add_masks,
        lambda data: (data / "train_masks" / "c_mask.png").unlink(),
        "1 of 6 have none: 'c_mask'",
    ),
    "a mask cut off": (
        add_masks,
        lambda data: (data / "train_masks" / "c_mask.png").write_bytes(b"\x89PNG\r\n"),
        "c_mask.png",
    ),
    "a box of negative width": (
        add_boxes,
        put_box("[9, 9, -3, 4]"),
        "width and height of at least",
    ),
    "a box of NaN": (add_boxes, put_box("[9, nan, 3, 4]"), "four numbers '[x, y, width, height]'"),
    "a box of three numbers": (add_boxes, put_box("[9, 9, 3]"), "line 6 (image_id 'e')"),
    "a box of an unknown image": (add_boxes, put_rows(ImageId="zz"), "zz"),
    "x2 < x1": (add_labelled_boxes, put_rows(xmin=40), "x1 <= x2 and y1 <= y2"),
    "a corner of NaN": (add_labelled_boxes, put_rows(xmax=np.nan), "line 7 (image_id 'f')"),
    "a class beyond the list": (
        add_labelled_boxes,
        put_rows(**{"class": "lihgt"}),
        "did you mean 'light'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_contradicts_itself_never_trains_silently(what, kit, things):
    add, spoil, telling = REFUSED[what]
    add(things)
    task = "segmentation" if add is add_masks else "detection"
    assert kit("new", "things", "--task", task)[0] == 0
    spoil(things)
    code, text = kit("train", "things", *QUIET[task], "--fold", "all")
    assert code == 2, text
    assert telling in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ("[70, 9, 5, 4]", "dropped 0 boxes of zero size and 1 outside their image, clipped 0"),
        ("[9, 9, 0, 4]", "dropped 1 boxes of zero size and 0 outside"),
        ("[50, 30, 40, 40]", "clipped 1 to the border"),
    ],
)
def test_what_can_be_mended_is_counted_and_told_in_a_line(box, told, kit, things):
    add_boxes(things)
    assert kit("new", "things", "--task", "detection")[0] == 0
    put_box(box)(things)
    with pytest.warns(UserWarning, match=told) as caught:
        code, text = kit("train", "things", *QUIET["detection"])
    assert code == 0, text
    (one,) = [warning for warning in caught if "mended" in str(warning.message)]
    line = warnings.formatwarning(one.message, one.category, one.filename, one.lineno)
    assert line == f"warning: {one.message}\n"


def test_pictures_with_alpha_and_16_bits_train_as_their_8_bit_selves(kit, things, tmp_path):
    """All six in other clothes; the weights come out the same to the bit."""
    add_masks(things)
    assert kit("new", "things", "--task", "segmentation")[0] == 0
    words, hashes = (*QUIET["segmentation"], "train.deterministic=true"), []
    for name in ("plain", "dressed"):
        code, text = kit("train", "things", *words, "--name", name)
        assert code == 0, text
        folder = tmp_path / "runs" / "things" / name / "fold0"
        hashes.append(pd.read_json(folder / "summary.json", typ="series").weights_sha256)
        for number, path in enumerate(sorted((things / "train").iterdir())):
            dress(path, number)
    assert hashes[0] == hashes[1]


def dress(path: Path, number: int) -> None:
    import cv2

    pixels = cv2.imread(str(path))
    alpha = np.full((*pixels.shape[:2], 1), 90, np.uint8)
    deep = pixels.astype(np.uint16) * 257
    forms = [np.dstack([pixels, alpha]), deep, np.dstack([deep, alpha.astype(np.uint16) * 257])]
    path.unlink()
    cv2.imwrite(str(path.with_suffix(".tif")), forms[number % 3])


def test_an_image_without_a_box_trains_beside_others_and_alone(kit, things):
    """Of a..f, f has no row; then nobody but a has one, so that whole batches have none."""
    add_boxes(things)
    assert kit("new", "things", "--task", "detection")[0] == 0
    code, text = kit("check", "things", "--no-model")
    assert code == 0, text
    assert "all 6 are read whole" in text
    code, text = kit("train", "things", *QUIET["detection"])
    assert code == 0, text
    table = pd.read_csv(things / "train.csv")
    table[:1].to_csv(things / "train.csv", index=False)
    code, text = kit("train", "things", *QUIET["detection"], "--fold", "all", "--name", "sparse")
    assert code == 0, text
    assert "nan" not in text.split("finished:")[0].lower()
