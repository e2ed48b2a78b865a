"""Forms of boxes turn into one another exactly; what is repaired is counted, the rest refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.data.boxes import (
    Repairs,
    as_boxes,
    box_areas,
    clip_boxes,
    parse_bbox,
    repair_boxes,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from common.errors import KitError

SIZE = (64, 48)


def arrays(low: int, high: int):
    """(K, 4) multiples of a quarter pixel, with which floats reckon exactly."""
    shape = st.tuples(st.integers(0, 8), st.just(4))
    return hnp.arrays(np.int64, shape, elements=st.integers(4 * low, 4 * high)).map(lambda a: a / 4)


def ordered(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )


@given(arrays(-100, 100))
def test_xywh_and_xyxy_are_inverse(boxes: np.ndarray) -> None:
    np.testing.assert_array_equal(xyxy_to_xywh(xywh_to_xyxy(boxes)), boxes)
    np.testing.assert_array_equal(xywh_to_xyxy(xyxy_to_xywh(boxes)), boxes)
    np.testing.assert_array_equal(box_areas(xywh_to_xyxy(boxes)), boxes[:, 2] * boxes[:, 3])


@given(arrays(-100, 160).map(ordered))
def test_clipping_is_idempotent_and_agrees_with_painting(boxes: np.ndarray) -> None:
    clipped = clip_boxes(boxes, SIZE)
    np.testing.assert_array_equal(clip_boxes(clipped, SIZE), clipped)
    for whole, part in zip(
        np.round(boxes).astype(int), clip_boxes(np.round(boxes), SIZE), strict=True
    ):
        shift = 200  # a canvas on which the whole box lies
        canvas = np.zeros((500, 500), bool)
        x1, y1, x2, y2 = whole + shift
        canvas[y1:y2, x1:x2] = True
        visible = canvas[shift : shift + SIZE[1], shift : shift + SIZE[0]].sum()
        assert visible == box_areas(part[None])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[834.0, 222.0, 56.0, 36.0]", (834, 222, 56, 36)),
        (" (1,2.5,3e1,-4)\n", (1, 2.5, 30, -4)),
        ("[nan, 0, 1, 1]", (np.nan, 0, 1, 1)),
    ],
)
def test_cells_are_read(text: str, expected: tuple) -> None:
    np.testing.assert_array_equal(parse_bbox(text), expected)


@pytest.mark.parametrize("text", ["", "[]", "[1, 2, 3]", "[1, 2, 3, 4, 5]", "[1, 2, a, 4]"])
def test_cells_that_are_no_box_are_refused(text: str) -> None:
    with pytest.raises(KitError, match=r"expected a box as '\[x, y, width, height\]'"):
        parse_bbox(text)
    with pytest.raises(KitError):
        parse_bbox(float("nan"))  # what pandas makes of an empty cell


@given(arrays(-30, 90).map(ordered), st.randoms())
def test_what_is_repaired_fits_the_image_and_nothing_else_changes(boxes, random) -> None:
    labels = np.array([random.randrange(3) for _ in boxes], dtype=np.int64)
    fixed, kept, repairs = repair_boxes(boxes, labels, SIZE, 3)
    assert len(fixed) == len(kept) == len(boxes) - repairs.zero_size - repairs.outside
    assert (fixed[:, 2:] > fixed[:, :2]).all()
    assert (fixed >= 0).all()
    assert (fixed <= [*SIZE, *SIZE]).all()
    whole = [
        tuple(box)
        for box, inside in zip(boxes, clip_boxes(boxes, SIZE), strict=True)
        if all(box == inside)
    ]
    assert sum(tuple(box) in set(whole) for box in fixed) >= len(fixed) - repairs.clipped
    again = repair_boxes(fixed, kept, SIZE, 3)
    np.testing.assert_array_equal(again[0], fixed)
    assert again[2] == Repairs()


def test_repairs_are_counted_by_kind_and_added_up() -> None:
    boxes = [
        [1, 1, 9, 9],
        [5, 5, 5, 9],
        [5, 5, 9, 5],
        [-9, 0, 0, 9],
        [60, 40, 70, 50],
        [70, 1, 80, 9],
    ]
    fixed, labels, repairs = repair_boxes(boxes, [0, 1, 2, 3, 4, 5], SIZE, 6)
    np.testing.assert_array_equal(fixed, [[1, 1, 9, 9], [60, 40, 64, 48]])
    assert labels.tolist() == [0, 4]
    assert repairs == Repairs(zero_size=2, outside=2, clipped=1)
    assert sum([repairs, repairs], Repairs()) == Repairs(4, 4, 2)
    assert repairs
    assert not Repairs()
    assert str(repairs).startswith("dropped 2 boxes of zero size and 2 outside")


@pytest.mark.parametrize(
    ("box", "label", "expected"),
    [
        ([0, 0, np.nan, 9], 0, "four finite numbers"),
        ([0, 0, np.inf, 9], 0, "four finite numbers"),
        ([9, 0, 8, 9], 0, "x1 <= x2 and y1 <= y2"),
        ([0, 9, 8, 8], 0, "x1 <= x2 and y1 <= y2"),
        ([0, 0, 9, 9], 2, "a label from 0 to 1"),
        ([0, 0, 9, 9], -1, "a label from 0 to 1"),
    ],
)
def test_mistakes_name_the_image(box: list, label: int, expected: str) -> None:
    boxes, labels = [[1, 1, 2, 2], box], [1, label]
    with pytest.raises(
        KitError, match=f"{expected}.* in every box, image 'b6ab77fd7' has"
    ) as caught:
        repair_boxes(boxes, labels, SIZE, 2, "b6ab77fd7")
    assert "(1 such boxes)" in str(caught.value)


def test_an_image_without_boxes_is_in_order() -> None:
    boxes, labels, repairs = repair_boxes([], [], SIZE, 1)
    assert (boxes.shape, labels.shape, repairs) == ((0, 4), (0,), Repairs())


def test_shapes_that_are_no_boxes_are_refused() -> None:
    with pytest.raises(KitError, match=r"shape \(K, 4\), got \(4,\)"):
        as_boxes([0, 0, 1, 1])
    with pytest.raises(KitError, match="a label per box in image '7', got 1 for 0"):
        repair_boxes([], [0], SIZE, 1, "7")


def test_float32_stays_float32() -> None:
    boxes = np.array([[1, 2, 3, 4]], np.float32)
    made = (xywh_to_xyxy(boxes), xyxy_to_xywh(boxes), clip_boxes(boxes, SIZE))
    assert {array.dtype for array in made} == {np.dtype(np.float32)}
