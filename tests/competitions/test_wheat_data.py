import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.data.boxes import box_areas, parse_bbox, repair_boxes, xywh_to_xyxy
from common.data.folds import fold_frame
from common.errors import KitError
from common.metrics.detection import wheat_score
from common.submission.boxes import parse_boxes
from common.submission.validator import check_submission
from common.submission.writer import write_submission
from competitions.wheat_detection import data
from competitions.wheat_detection.config import EXPERIMENTS
from competitions.wheat_detection.demo import BARE, write_demo
from competitions.wheat_detection.field import SIZE
from competitions.wheat_detection.looks import LOOKS

TRAIN, TEST = 12, 3
CONFIG = EXPERIMENTS["baseline"]
HEADER = "image_id,width,height,bbox,source\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheat")
    write_demo(folder, train=TRAIN, test=TEST)
    return folder


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "data"))


def small_data(folder: Path, rows: str, images: str = "abc") -> Path:
    """Write 40 x 30 pictures a.jpg, b.jpg, ... and the given lines of train.csv."""
    (folder / "train").mkdir()
    for name in images:
        Image.new("RGB", (40, 30)).save(folder / "train" / f"{name}.jpg")
    (folder / "train.csv").write_text(HEADER + rows)
    return folder


def many_images(counts: dict[str, list[int]]) -> pd.DataFrame:
    rows = [(source, count) for source, own in counts.items() for count in own]
    frame = pd.DataFrame(rows, columns=["source", "count"])
    frame["image_id"] = frame.index.astype(str)
    frame["stratum"] = data._strata(frame["source"], frame["count"], CONFIG.data.n_folds)
    return frame


def test_the_demo_has_the_layout_of_the_competition(demo: Path) -> None:
    assert {path.name for path in demo.iterdir()} == {
        *("train", "test", "train.csv", "sample_submission.csv")
    }
    header, first, *_ = (demo / "train.csv").read_text().splitlines()
    assert header == HEADER.strip()
    assert pd.Series([first]).str.fullmatch(
        r'[0-9a-f]{9},1024,1024,"\[\d+\.\d, \d+\.\d, \d+\.\d, \d+\.\d\]",\w+_1'
    )[0]
    names = {folder: {p.name for p in (demo / folder).iterdir()} for folder in ("train", "test")}
    assert (len(names["train"]), len(names["test"])) == (TRAIN, TEST)
    sample = pd.read_csv(demo / "sample_submission.csv")
    assert list(sample.columns) == ["image_id", "PredictionString"]
    assert {f"{image_id}.jpg" for image_id in sample["image_id"]} == names["test"]
    assert not names["train"] & names["test"]
    for path in demo.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIZE, SIZE))


def test_train_frame_holds_what_train_csv_says_and_every_image(demo: Path) -> None:
    frame = data.read_train(demo, CONFIG)
    assert list(frame["path"]) == sorted(map(str, (demo / "train").iterdir()))
    assert all(Path(p).stem == i for p, i in zip(frame["path"], frame["image_id"], strict=True))
    table = pd.read_csv(demo / "train.csv")
    for _, row in frame.iterrows():
        own = table[table["image_id"] == row["image_id"]]
        expected = xywh_to_xyxy([parse_bbox(text) for text in own["bbox"]])
        assert (row["boxes"].dtype, row["labels"].dtype) == (np.float32, np.int64)
        np.testing.assert_array_equal(row["boxes"], expected.reshape(-1, 4))
        np.testing.assert_array_equal(row["labels"], np.zeros(len(own)))
        assert row["source"] == (own["source"].iloc[0] if len(own) else "none")
        assert (row["width"], row["height"]) == (SIZE, SIZE)


def test_images_without_a_row_are_kept_without_boxes(demo: Path) -> None:
    frame = data.read_train(demo, CONFIG)
    bare = frame[frame["source"] == "none"]
    assert len(bare) == round(BARE * TRAIN) > 0
    assert [boxes.shape for boxes in bare["boxes"]] == [(0, 4)] * len(bare)
    assert (frame["boxes"].map(len) > 0).equals(frame["source"] != "none")


def test_rows_of_an_image_need_not_be_neighbours(tmp_path: Path) -> None:
    rows = 'c,40,30,"[1, 2, 3, 4]",x\na,40,30,"[5.5,6,7,8]",y\nc,40,30,"[0, 0, 9, 9]",x\n'
    frame = data.read_train(small_data(tmp_path, rows), CONFIG)
    assert frame["image_id"].tolist() == ["a", "b", "c"]
    assert frame["source"].tolist() == ["y", "none", "x"]
    assert [boxes.tolist() for boxes in frame["boxes"]] == [
        [[5.5, 6, 12.5, 14]],
        [],
        [[1, 2, 4, 6], [0, 0, 9, 9]],
    ]
    assert frame[["width", "height"]].to_numpy().tolist() == [[40, 30]] * 3


def test_images_with_the_same_number_of_boxes_keep_them_apart(tmp_path: Path) -> None:
    rows = "".join(f'{name},40,30,"[{x}, 2, 3, 4]",x\n' for x, name in enumerate("abc"))
    frame = data.read_train(small_data(tmp_path, rows), CONFIG)
    assert [boxes.tolist() for boxes in frame["boxes"]] == [[[x, 2, x + 3, 6]] for x in range(3)]
    assert [labels.tolist() for labels in frame["labels"]] == [[0]] * 3


def test_a_table_without_rows_is_a_field_without_wheat(tmp_path: Path) -> None:
    frame = data.read_train(small_data(tmp_path, ""), CONFIG)
    assert frame["source"].tolist() == ["none"] * 3
    assert frame[["width", "height"]].to_numpy().tolist() == [[40, 30]] * 3
    assert [boxes.shape for boxes in frame["boxes"]] == [(0, 4)] * 3


def test_boxes_lie_inside_and_need_no_repair(demo: Path) -> None:
    for _, row in data.read_train(demo, CONFIG).iterrows():
        boxes, _, repairs = repair_boxes(row["boxes"], row["labels"], (SIZE, SIZE), 1)
        assert not repairs
        np.testing.assert_array_equal(boxes, row["boxes"])
        assert len(boxes) <= max(look.heads[1] for look in LOOKS.values())
        assert (box_areas(boxes) > 50).all()


def test_folds_keep_the_shares_of_sources_and_of_crowded_images(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sizes = {"arvalis_1": 1055, "ethz_1": 747, "usask_1": 200}
    frame = many_images({name: random.poisson(40, n).tolist() for name, n in sizes.items()})
    folds = fold_frame(tmp_path / "folds.csv", frame, CONFIG)
    for name, size in sizes.items():
        own = folds[folds["source"] == name]
        assert np.ptp(own["fold"].value_counts()) <= 4
        assert own.groupby("fold")["count"].mean().std() < 1
        assert len(own) == size


def test_strata_are_bins_of_the_count_within_a_source() -> None:
    frame = many_images({"a": list(range(80)), "b": [5] * 30, "c": [1, 2, 3]})
    by_source = frame.groupby("source")["stratum"].nunique()
    assert by_source.to_dict() == {"a": data.MAX_BINS, "b": 1, "c": 1}
    a = frame[frame["source"] == "a"].groupby("stratum")["count"].agg(["min", "max", "size"])
    assert (a["size"] == 20).all()
    assert (a["max"].to_numpy()[:-1] < a["min"].to_numpy()[1:]).all()


def test_test_frame_follows_the_sample_submission(copy: Path) -> None:
    ids = data.read_test(copy)["image_id"].tolist()
    sample = copy / data.SAMPLE
    header, *lines = sample.read_text().splitlines()
    sample.write_text("\n".join([header, *reversed(lines)]) + "\n")
    frame = data.read_test(copy)
    assert frame["image_id"].tolist() == ids[::-1]
    assert [Path(path).stem for path in frame["path"]] == ids[::-1]


def test_predictions_become_a_valid_submission_and_come_back(demo: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    ids = data.read_test(demo)["image_id"].tolist()
    found: dict[str, list] = {"image_id": ids, "boxes": [], "scores": []}
    for number in range(len(ids)):
        corner, size = random.uniform(0, 900, (3 * number, 2)), random.uniform(20, 120, 2)
        found["boxes"].append(np.hstack([corner, corner + size]))
        found["scores"].append(random.uniform(0.2, 1, 3 * number))
    made = data.to_submission(pd.DataFrame(found))
    sample = data.sample_submission(demo)
    path = write_submission(made, tmp_path / "submission.csv", sample, data.RULES)
    assert not check_submission(path, sample, data.RULES)
    cells = pd.read_csv(path, keep_default_na=False)["PredictionString"]
    assert cells[0] == ""
    read = [parse_boxes(cell) for cell in cells]
    assert wheat_score(found["boxes"], read, confidence=0) == 1


@pytest.mark.parametrize("name", ["train", "test", "train.csv", "sample_submission.csv"])
def test_what_is_missing_is_named_with_the_way_to_get_it(copy: Path, name: str) -> None:
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    kind = "file" if name.endswith("csv") else "folder"
    message = rf"expected the {kind} '{path}', found none; .*kit demo wheat_detection"
    with pytest.raises(KitError, match=message):
        data.read_train(copy, CONFIG) if name.startswith("train") else data.read_test(copy)


def test_a_row_without_an_image_is_named(copy: Path) -> None:
    lost = pd.read_csv(copy / "train.csv")["image_id"].iloc[0]
    (copy / "train" / f"{lost}.jpg").unlink()
    with pytest.raises(KitError, match=rf"for every row of boxes, 1 images have none: '{lost}'"):
        data.read_train(copy, CONFIG)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ('"[1, 2, 3]"', "four numbers"),
        ('"[1, 2, 3, 4, 5]"', "four numbers"),
        ('"[1, 2, 3, four]"', "four numbers"),
        ('"[1, 2, 3, nan]"', "four numbers"),
        ('"[1, 2, 3, inf]"', "four numbers"),
        ("", "four numbers"),
        ("7", "four numbers"),
        ('"[1, 2, -3, 4]"', "a width and height of at least 0"),
    ],
)
def test_a_box_that_is_none_is_named(tmp_path: Path, bbox: str, expected: str) -> None:
    rows = f'a,40,30,"[1, 2, 3, 4]",x\nb,40,30,{bbox},x\n'
    with pytest.raises(KitError, match=rf"{expected}.* in 'bbox', line 3 .*'b'.*1 such"):
        data.read_train(small_data(tmp_path, rows), CONFIG)


@pytest.mark.parametrize(
    ("row", "column"), [("a,0,30", "width"), ("a,40,?", "height"), ("a,40,30", "source")]
)
def test_a_size_or_source_that_is_none_is_named(tmp_path: Path, row: str, column: str) -> None:
    end = "" if column == "source" else "x"
    with pytest.raises(KitError, match=rf" in '{column}', line 2 \(image_id 'a'\)"):
        data.read_train(small_data(tmp_path, f'{row},"[1, 2, 3, 4]",{end}\n'), CONFIG)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    folder = small_data(tmp_path, "")
    (folder / "train.csv").write_text('image_id,bbox\na,"[1, 2, 3, 4]"\n')
    with pytest.raises(KitError, match="expected column 'width'"):
        data.read_train(folder, CONFIG)


def test_many_boxes_are_read_as_one_by_one() -> None:
    random = np.random.default_rng(0)
    boxes = np.round(random.uniform(0, 900, (2000, 4)), 1)
    table = pd.DataFrame({"image_id": "a", "bbox": [str(box) for box in boxes.tolist()]})
    expected = np.array([parse_bbox(text) for text in table["bbox"]])
    np.testing.assert_array_equal(data.parse_bboxes(table), expected)
