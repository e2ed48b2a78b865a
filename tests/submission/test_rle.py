import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.errors import KitError
from common.submission.rle import check_rle, decode, encode, encode_instances
from common.submission.rules import SubmissionRules
from common.submission.validator import check_submission

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
ORDERS, STARTS = st.sampled_from(["F", "C"]), st.sampled_from([0, 1])
# fill makes long runs, empty and full masks likely
MASKS = hnp.arrays(np.uint8, SHAPES, elements=st.integers(0, 1), fill=st.sampled_from([0, 1]))


def encode_pixel_by_pixel(mask: np.ndarray, order: str, start: int) -> str:
    """The definition, one pixel after another."""
    height, width = mask.shape
    cells = [(row, column) for row in range(height) for column in range(width)]
    if order == "F":
        cells.sort(key=lambda cell: (cell[1], cell[0]))
    runs: list[list[int]] = []
    for number, cell in enumerate(cells, start):
        if mask[cell] and runs and sum(runs[-1]) == number:
            runs[-1][1] += 1
        elif mask[cell]:
            runs.append([number, 1])
    return " ".join(f"{first} {length}" for first, length in runs)


@settings(max_examples=300, deadline=None)
@given(mask=MASKS, order=ORDERS, start=STARTS)
def test_decoding_inverts_encoding_and_both_agree_with_the_definition(mask, order, start) -> None:
    text = encode(mask, order, start)
    assert text == encode_pixel_by_pixel(mask, order, start)
    again = decode(text, mask.shape, order, start)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, mask)
    assert check_rle(text, mask.shape, start) is None


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 5)])
def test_empty_and_full_masks(shape: tuple[int, int], order: str) -> None:
    assert encode(np.zeros(shape, np.uint8), order) == ""
    assert encode(np.ones(shape, bool), order) == f"1 {math.prod(shape)}"
    assert not decode("", shape, order).any()
    assert decode(f"1 {math.prod(shape)}", shape, order).all()


def test_the_two_conventions_count_as_kaggle_explains() -> None:
    mask = np.array([[0, 1, 1], [0, 1, 0]])
    assert encode(mask) == "3 3"
    assert encode(mask, "C") == "2 2 5 1"
    assert encode(mask, "C", start=0) == "1 2 4 1"
    assert encode(mask.T, "F") == encode(mask, "C")


@settings(max_examples=50, deadline=None)
@given(mask=MASKS, order=ORDERS)
def test_every_way_to_store_a_mask_gives_the_same_code(mask, order) -> None:
    text = encode(mask, order)
    for same in (mask > 0, mask * 255, mask.astype(np.int64) * -300, np.asfortranarray(mask)):
        assert encode(same, order) == text
    assert encode(np.repeat(mask, 2, 1)[:, ::2], order) == text


@settings(max_examples=100, deadline=None)
@given(
    labels=hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 4), fill=st.integers(0, 4)),
    order=ORDERS,
    start=STARTS,
)
def test_instances_are_encoded_as_each_alone(labels, order, start) -> None:
    alone = [encode(labels == label, order, start) for label in np.unique(labels[labels > 0])]
    assert encode_instances(labels * 1000, order, start) == alone


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_an_image_without_pixels_has_no_runs(shape: tuple[int, int]) -> None:
    assert encode(np.zeros(shape, np.uint8)) == ""
    assert encode_instances(np.zeros(shape, np.int64)) == []
    assert decode("", shape).shape == shape


def test_white_space_does_not_matter_and_touching_runs_join() -> None:
    expected = decode("2 3 7 1", (4, 2))
    for text in (" 2 3  7 1 ", "2 3\n7\t1", "2 2 4 1 7 1", "+2 3 07 1"):
        np.testing.assert_array_equal(decode(text, (4, 2)), expected)


WRONG = {
    "1 2 3": "expected pairs of start and length, got 3 numbers",
    "7": "expected pairs of start and length, got 1 numbers",
    "0 2": "expected starts from 1, got 0 in pair 1",
    "1 1 -3 2": "expected starts from 1, got -3 in pair 2",
    "1 2 5 -1": "expected lengths from 1, got -1 in pair 2",
    "1 0": "expected lengths from 1, got 0 in pair 1",
    "1 3 3 2": "expected runs that ascend and do not overlap, got 3 in pair 2",
    "5 2 1 2": "expected runs that ascend and do not overlap, got 1 in pair 2",
    "1 2 12 2": "expected runs within 3 x 4 pixels, got 12 in pair 2",
    "13 1": "expected runs within 3 x 4 pixels, got 13 in pair 1",
    "1 99999999999999999999": "expected runs within 3 x 4 pixels, got 1 in pair 1",
    "9223372036854775807 9223372036854775807": "expected runs within 3 x 4 pixels",
    "1 2 x 4": "expected whole numbers, got 'x'",
    "1.0 2.0": "expected whole numbers, got '1.0'",
    "1,2": "expected whole numbers, got '1,2'",
    "nan": "expected whole numbers, got 'nan'",
    "-99999999999999999999 1": "expected whole numbers",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_code_is_told(text: str) -> None:
    with pytest.raises(KitError) as caught:
        decode(text, (3, 4))
    assert str(caught.value).startswith(WRONG[text])
    assert check_rle(text, (3, 4)) == str(caught.value)


def test_a_missing_cell_and_a_wrong_array_are_told() -> None:
    with pytest.raises(KitError, match="got nan; read the csv with keep_default_na=False"):
        decode(float("nan"), (3, 4))
    with pytest.raises(KitError, match=r"got \(3, 4\) float64; threshold probabilities"):
        encode(np.zeros((3, 4)))
    with pytest.raises(KitError, match=r"got \(1, 3, 4\) bool"):
        encode(np.zeros((1, 3, 4), bool))
    with pytest.raises(KitError, match=r"in -1\.\.0; 0 is the background"):
        encode_instances(np.array([[0, -1]]))
    with pytest.raises(KitError, match=r"'F' \(columns\) or 'C' \(rows\), got 'K'"):
        encode(np.zeros((3, 4), bool), "K")


def test_without_a_size_only_the_form_is_checked() -> None:
    assert check_rle("1 5 900 100") is None
    assert check_rle("1 5 3 100") is not None


def test_the_check_serves_as_a_rule_of_the_validator(tmp_path) -> None:
    sample, path = tmp_path / "sample.csv", tmp_path / "submission.csv"
    sample.write_text("id,rle\na,1 1\nb,1 1\nc,1 1\n")
    path.write_text("id,rle\na,1 3\nb,\nc,12 2\n")
    rules = SubmissionRules(allow_empty=True, parse=partial(check_rle, size=(3, 4)))
    (finding,) = check_submission(path, sample, rules)
    assert (finding.row, finding.column) == (4, "rle")
    assert "expected runs within 3 x 4 pixels, got 12" in finding.message
