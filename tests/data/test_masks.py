import numpy as np
import pytest
from PIL import Image

from common.config import Config
from common.data.masks import check_mask_size, ignored_value, read_mask, refuse_black_and_white
from common.data.objects import read_objects
from common.data.rle import decode, encode, merge
from common.data.windows import Window, window_grid
from common.errors import KitError
from common.keys import IGNORE

RNG = np.random.default_rng(0)
SHAPE = (30, 44)
TRUTH = (RNG.random(SHAPE) < 0.4).astype(np.uint8)
CLASSES = RNG.integers(0, 4, SHAPE, dtype=np.uint8)


def save(folder, name: str, values: np.ndarray, **options) -> str:
    Image.fromarray(values).save(folder / name, **options)
    return str(folder / name)


def palette(folder, values: np.ndarray) -> str:
    indexed = Image.frombytes("P", values.shape[::-1], values.tobytes())
    indexed.putpalette([200, 30, 30, 0, 0, 0, 90, 90, 250, 10, 200, 10])
    indexed.save(folder / "palette.png")
    return str(folder / "palette.png")


def test_every_way_to_write_a_mask_is_the_same_mask(tmp_path):
    ways = [
        save(tmp_path, "a.png", TRUTH),
        save(tmp_path, "b.png", TRUTH * 255),
        save(tmp_path, "c.tif", TRUTH * 255),
        save(tmp_path, "d.tif", TRUTH * 255, compression="tiff_lzw"),
        save(tmp_path, "e.tif", TRUTH.astype(bool), compression="group4"),
        save(tmp_path, "f.png", np.dstack([TRUTH * 255] * 3)),
        save(tmp_path, "g.tif", np.dstack([TRUTH * 255] * 3)),
        save(tmp_path, "h.png", np.dstack([TRUTH * 255] * 3 + [np.full(SHAPE, 9, np.uint8)])),
        save(tmp_path, "i.png", TRUTH.astype(np.uint16)),
        palette(tmp_path, TRUTH),
        encode(TRUTH),
    ]
    for way in ways:
        whole = read_mask(way, *SHAPE)
        assert whole.dtype == np.uint8
        np.testing.assert_array_equal(whole, TRUTH)
        for window in window_grid(*SHAPE, 16):
            part = read_mask(way, *SHAPE, window=window)
            inner = TRUTH[window.top :, window.left :][:16, :16]
            np.testing.assert_array_equal(part[: inner.shape[0], : inner.shape[1]], inner)
            assert (part == IGNORE).sum() == 256 - inner.size


@pytest.mark.parametrize("text", ["", None, float("nan")])
def test_no_code_is_no_foreground(text):
    assert not read_mask(text, 3, 4).any()
    assert read_mask(text, 3, 4, window=Window(0, 0, 4, 4)).sum() == 4 * IGNORE


def test_classes_keep_their_numbers_and_what_is_unknown(tmp_path):
    marked = CLASSES.copy()
    marked[3:9] = IGNORE
    path = save(tmp_path, "a.png", marked)
    np.testing.assert_array_equal(read_mask(path, *SHAPE, num_classes=4), marked)
    path = palette(tmp_path, CLASSES)
    np.testing.assert_array_equal(read_mask(path, *SHAPE, num_classes=4), CLASSES)


@pytest.mark.parametrize(
    ("foreground", "ignore", "classes"), [(1, 255, 1), (255, 128, 1), (1, 7, 1), (3, 100, 4)]
)
def test_a_value_of_the_files_counts_nowhere(tmp_path, foreground, ignore, classes):
    values = TRUTH * foreground
    values[3:9, 5:] = ignore
    path = save(tmp_path, "a.png", values)
    expected = TRUTH * (foreground if classes > 1 else 1)
    expected[3:9, 5:] = IGNORE
    found = read_mask(path, *SHAPE, classes, ignore=ignore)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
    window = Window(2, 3, 8, 8)
    np.testing.assert_array_equal(
        read_mask(path, *SHAPE, classes, window, ignore=ignore), expected[2:10, 3:11]
    )
    with pytest.raises(KitError, match=f"got .*{ignore}"):
        read_mask(path, *SHAPE, classes, ignore=200)


def test_of_several_classes_255_counts_nowhere_unless_another_value_does(tmp_path):
    def value(ignore: int | None, *classes: str) -> int | None:
        config = Config(competition="x", task="segmentation", classes=classes, metric="iou")
        return ignored_value(config.model_copy(update={"data.ignore": ignore}))

    assert value(None, "roof") is None
    assert value(None, "ground", "roof") == IGNORE
    assert value(9, "ground", "roof") == 9
    for ignore, classes in ((1, ("roof",)), (0, ("a", "b", "c")), (2, ("a", "b", "c"))):
        with pytest.raises(KitError, match=f"data.ignore that is no class, got {ignore}"):
            value(ignore, *classes)
    path = save(tmp_path, "a.png", mixed(0, 255))
    with pytest.raises(KitError, match=r"or 9 where nothing is known, in the mask .*, got 255"):
        read_mask(path, *SHAPE, 2, ignore=9)


def test_objects_come_from_a_label_map_from_codes_or_from_what_hangs_together(tmp_path):
    labels = np.zeros(SHAPE, np.uint16)
    labels[2:8, 2:8], labels[2:8, 8:12], labels[20:25, 30:] = 1, 700, 3
    mask = (labels > 0).astype(np.uint8)
    mask[28:] = IGNORE
    path = tmp_path / "a.png"
    Image.fromarray(labels).save(path)
    np.testing.assert_array_equal(read_objects(str(path), mask), labels)
    codes = "\n".join(encode(labels == label) for label in (1, 700, 3))
    apart = read_objects(codes, mask)
    assert np.unique(apart).tolist() == [0, 1, 2, 3]
    assert len(np.unique(apart.astype(int) * 1000 + labels)) == 4
    joined = read_objects(None, mask)
    assert joined.max() == 2
    np.testing.assert_array_equal(joined > 0, labels > 0)
    assert not read_objects("", mask).any()
    with pytest.raises(KitError, match=r"label map of 30 x 44 .*, got \(44, 30\)"):
        read_objects(save(tmp_path, "b.png", labels.T.astype(np.uint8)), mask)
    with pytest.raises(KitError, match=r"label map in '.*nowhere.png'"):
        read_objects(str(tmp_path / "nowhere.png"), mask)


def mixed(*values: int) -> np.ndarray:
    return np.resize(np.array(values, np.uint8), SHAPE)


WRONG = [
    (mixed(0, 128, 255), 1, r"0 and 255, for one class, .*, got 0, 128, 255; mend the mask"),
    (mixed(0, 1, 255), 1, "got 0, 1, 255"),
    (mixed(0, 2), 1, "got 0, 2"),
    (mixed(0, 3, 7), 3, "expected values 0 to 2, or 255 where nothing is known, .*, got 3, 7"),
    (mixed(*range(30)), 2, "got 2, 3, 4, 5, 6, 7, 8, 9, ..."),
    (np.dstack([mixed(0, 1), mixed(1, 1), mixed(1, 1)]), 1, "one channel in .*, got colours"),
    (np.full(SHAPE, 1000, np.uint16), 1, "0 to 255 in the mask .*, got uint16 1000..1000"),
    (np.ones(SHAPE, np.float32), 1, "got float32"),
    (np.zeros((44, 30), np.uint8), 1, r"size, 30 x 44 \(height x width\), in .*, got 44 x 30"),
]


@pytest.mark.parametrize(("values", "num_classes", "message"), WRONG, ids=lambda v: str(v)[:30])
def test_a_mask_that_does_not_fit_is_refused_by_name(tmp_path, values, num_classes, message):
    path = save(tmp_path, "odd.tif", values)
    with pytest.raises(KitError, match=message) as caught:
        read_mask(path, *SHAPE, num_classes)
    assert path in str(caught.value)


def test_what_is_no_mask_at_all(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    for path in ("nowhere.png", str(tmp_path / "text.png")):
        with pytest.raises(KitError, match=path):
            read_mask(path, *SHAPE)
    with pytest.raises(KitError, match="runs within 30 x 44"):
        read_mask("1319 9", *SHAPE)
    with pytest.raises(KitError, match="pairs of start and length"):
        read_mask("1 2 3", *SHAPE)


def test_sizes_are_checked_from_the_header(tmp_path):
    path = save(tmp_path, "a.png", TRUTH)
    check_mask_size(path, *SHAPE)
    check_mask_size("1 5", *SHAPE)
    with pytest.raises(KitError, match="got 30 x 44"):
        check_mask_size(path, 44, 30)


def test_black_and_white_masks_of_several_classes_are_refused(tmp_path):
    path = save(tmp_path, "a.png", TRUTH * 255)
    refuse_black_and_white([path, ""], 1)
    refuse_black_and_white([save(tmp_path, "b.png", CLASSES), path], 4)
    with pytest.raises(KitError, match="255 means unknown; name one class only"):
        refuse_black_and_white(["", path], 2)


def test_merged_codes_are_the_union_of_instances():
    labels = RNG.integers(0, 4, SHAPE)
    codes = [encode(labels == label) for label in (3, 1, 2)]
    np.testing.assert_array_equal(decode(merge(codes), SHAPE), labels > 0)
    assert merge([]) == merge(["", ""]) == ""
    with pytest.raises(KitError, match="overlap"):
        decode(merge(["1 5", "3 2"]), SHAPE)
