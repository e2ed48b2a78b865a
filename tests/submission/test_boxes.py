"""What is written reads back, and every mistake in a cell is named."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES
from common.submission.boxes import check_boxes, format_boxes, parse_boxes
from common.submission.validator import SubmissionRules, check_submission
from common.submission.writer import write_submission

cent = st.integers(0, 10**5).map(lambda value: value / 100)
rows = st.lists(
    st.tuples(cent, cent, cent, cent, st.integers(0, 10**4), st.integers(0, 9)), max_size=6
)


@given(rows, st.booleans())
def test_what_is_written_reads_back_in_descending_confidence(rows: list, named: bool) -> None:
    table = np.array(rows, float).reshape(-1, 6)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    scores, labels = table[:, 4] / 10**4, table[:, 5].astype(int)
    text = format_boxes(boxes, scores, labels if named else None)
    parsed, order = parse_boxes(text, named), np.argsort(-scores, kind="stable")
    np.testing.assert_allclose(parsed[BOXES], boxes[order], atol=1e-9)
    np.testing.assert_array_equal(parsed[SCORES], scores[order])
    assert (LABELS in parsed) == named
    if named:
        np.testing.assert_array_equal(parsed[LABELS], labels[order])
    assert format_boxes(**{**parsed, LABELS: parsed.get(LABELS)}) == text


def test_the_text_is_the_competitions() -> None:
    boxes = np.array([[3, 4, 3.5, 10], [1, 2, 11, 22]], np.float32)
    assert format_boxes(boxes, [0.25, 0.98765]) == (
        "0.9877 1.00 2.00 10.00 20.00 0.2500 3.00 4.00 0.50 6.00"
    )
    assert format_boxes(boxes[:1], [1], [7], decimals=0, score_decimals=1) == "7 1.0 3 4 0 6"
    assert format_boxes([], []) == ""


@given(rows, st.integers(0, 3), st.integers(0, 4))
def test_rounding_moves_no_number_by_more_than_half_a_digit(rows, decimals, score_decimals) -> None:
    table = np.array(rows, float).reshape(-1, 6)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    order = np.argsort(-table[:, 4], kind="stable")
    text = format_boxes(boxes, table[:, 4] / 10**4, None, decimals, score_decimals)
    parsed = parse_boxes(text)
    half = 0.5 * 10.0**-decimals + 1e-9
    np.testing.assert_allclose(parsed[BOXES][:, :2], boxes[order, :2], rtol=0, atol=half)
    np.testing.assert_allclose(parsed[BOXES][:, 2:], boxes[order, 2:], rtol=0, atol=2 * half)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0.5 1 2 3", "expected 5 numbers per box .*, got 4 in '0.5 1 2 3'"),
        ("0.5 1 2 3 4 5", "expected 5 numbers per box .*, got 6"),
        ("0.5 1 2 -3 4", "box 1: expected a size of at least 0.*got width '-3'"),
        ("0.5 1 2 3 4 0.5 1 2 3 -4", "box 2: .*got height '-4'"),
        ("0.5 nan 2 3 4", "box 1: expected a finite number.*got x 'nan'"),
        ("0.5 1 inf 3 4", "expected a finite number.*got y 'inf'"),
        ("0.5 1 2 3 abc", "expected a finite number.*got height 'abc'"),
        ("0.5 1 2 3 1_0", "expected a finite number.*got height '1_0'"),
        ("1.5 1 2 3 4", "expected a confidence from 0 to 1.*got confidence '1.5'"),
        ("-0.1 1 2 3 4", "expected a confidence from 0 to 1"),
        ("nan 1 2 3 4", "got confidence 'nan'"),
        ("0.5, 1, 2, 3, 4", "got confidence '0.5,'"),
    ],
)
def test_mistakes_are_named(text: str, complaint: str) -> None:
    with pytest.raises(KitError, match=complaint) as caught:
        parse_boxes(text)
    assert str(caught.value) == check_boxes(text)


def test_labels_are_checked_where_there_are_some() -> None:
    assert check_boxes("2 0.5 1 2 3 4", with_labels=True) is None
    assert "got label '0.5'" in (check_boxes("0.5 2 1 2 3 4", with_labels=True) or "")
    assert "got label '-1'" in (check_boxes("-1 0.5 1 2 3 4", with_labels=True) or "")
    assert "6 numbers" in (check_boxes("0.5 1 2 3 4", with_labels=True) or "")


def test_classes_may_go_by_name() -> None:
    names, labels = ("red", "white"), [1, 0]
    text = format_boxes([[0, 0, 9, 9], [1, 1, 2, 2]], [0.5, 0.75], labels, names=names)
    assert text.split()[::6] == ["red", "white"]
    back = parse_boxes(text, with_labels=True, names=names)
    assert back[LABELS].tolist() == [0, 1]
    wrong = check_boxes("blue 0.5 1 2 3 4", with_labels=True, names=names)
    assert wrong == "box 1: expected a class of red, white, got label 'blue'"


@pytest.mark.parametrize(
    "text", ["", "  ", "0 0 0 0 0", "1 -5 -5 1e2 4.25", "0.5 1 2 3 4 0.6 1 2 3 4"]
)
def test_what_kaggle_reads_is_let_through(text: str) -> None:
    assert check_boxes(text) is None


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "complaint"),
    [
        ([[0, 0, 1, 1]], [1.2], None, "a confidence from 0 to 1"),
        ([[0, 0, 1, 1]], [np.nan], None, "a finite number"),
        ([[np.nan, 0, 1, 1]], [1], None, "a finite number"),
        ([[5, 0, 1, 1]], [1], None, "a size of at least 0"),
        ([[0, 0, 1, 1]], [1], [-1], "a class index"),
        ([[0, 0, 1, 1]], [1, 1], None, "a score and a label per box, got 2 for 1"),
        ([[0, 0, 1, 1]], [1], [1, 2], "a score and a label per box"),
    ],
)
def test_nothing_wrong_is_written(boxes, scores, labels, complaint: str) -> None:
    with pytest.raises(KitError, match=complaint):
        format_boxes(boxes, scores, labels)


def test_a_submission_of_boxes_is_written_and_checked(tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    pd.DataFrame({"image_id": ["a", "b"], "PredictionString": ["1.0 0 0 50 50"] * 2}).to_csv(
        sample, index=False
    )
    rules = SubmissionRules(parse=check_boxes, allow_empty=True)
    texts = [format_boxes([[0, 0, 9, 9]], [0.5]), ""]
    frame = pd.DataFrame({"image_id": ["a", "b"], "PredictionString": texts})
    path = write_submission(frame, tmp_path / "s.csv", sample, rules)
    assert [f for f in check_submission(path, sample, rules) if f.severity == "error"] == []
    path.write_text(path.read_text().replace("0.5000", "50%"))
    (finding,) = (f for f in check_submission(path, sample, rules) if f.severity == "error")
    assert (finding.row, finding.column) == (2, "PredictionString")
    assert "got confidence '50%'" in finding.message
    assert partial(check_boxes, with_labels=True)("1 0.5 0 0 9 9") is None
