import re

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from common.errors import KitError
from common.figures.confusion import confusion_figures, confusion_map, most_confused, row_shares


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    return confusion_matrix(rng.integers(0, 5, 300), rng.integers(0, 5, 300))


@pytest.mark.parametrize("normalise", [False, True])
def test_cells_hold_the_counts_under_the_right_names(matrix, normalise):
    classes = ["cat", "dog", "bird", "cost $5 and $6", "fish"]
    chart = confusion_map(matrix, classes, normalise)
    assert np.array_equal(np.array(chart.numbers, int), matrix)
    assert chart.names == classes
    assert chart.every == chart.block == 1
    assert chart.axes_names == ("Predicted", "Actual")
    assert re.search(r"of 300 samples on the diagonal$", chart.title)


def test_shades_are_shares_of_the_row_when_normalised(matrix):
    shares = confusion_map(matrix, list("abcde"), True).shades
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares * matrix.sum(axis=1, keepdims=True), matrix)


def test_shades_of_counts_agree_with_the_scale_of_the_bar():
    chart = confusion_map(np.array([[120, 0], [30, 60]]), ["a", "b"], False)
    unit, ticks = chart.bar
    assert unit == "samples"
    assert {word: place for place, word in ticks}["60"] == chart.shades[1, 1] == 0.5
    assert chart.shades[0, 0] == 1
    assert all(0 <= place <= 1 for place, _ in ticks)


def test_a_class_without_samples_has_a_row_of_zeros():
    matrix = np.array([[3, 1], [0, 0]])
    assert np.array_equal(confusion_map(matrix, ["a", "b"], True).shades, [[0.75, 0.25], [0, 0]])
    assert not confusion_map(matrix * 0, ["a", "b"], False).shades.any()


def test_numbers_end_beyond_25_classes():
    def numbers(count):
        names = [str(i) for i in range(count)]
        return confusion_map(np.eye(count, dtype=int), names, True).numbers

    assert sum(map(len, numbers(25))) == 625
    assert len(numbers(26)) == 0


def test_a_single_bad_pair_stays_in_sight_however_many_classes_there_are():
    matrix = np.eye(601, dtype=int)
    matrix[[7, 7, 600], [7, 400, 600]] = 0, 1, 0
    chart = confusion_map(matrix, [str(i) for i in range(601)], True)
    assert chart.shades.shape == (201, 201)  # blocks of 3 x 3
    assert chart.block == 3
    assert chart.shades[2, 133] == 1  # 7 taken for 400
    assert chart.shades[-1, -1] == 0  # the last block is one class, and what pads it
    assert chart.title.endswith("a cell is the largest of 3 x 3")


def test_counts_are_drawn_up_to_100_classes():
    def names(count):
        classes = [str(i) for i in range(count)]
        return [name for name, _ in confusion_figures(np.eye(count, dtype=int), classes)]

    assert names(100) == ["confusion", "confusion_counts"]
    assert names(101) == ["confusion"]


def test_most_confused_agrees_with_a_plain_search(matrix):
    classes = list("abcde")
    found = most_confused(matrix, classes, 6)
    everything = sorted((matrix[i, j] for i in range(5) for j in range(5) if i != j), reverse=True)
    assert [pair["count"] for pair in found] == everything[:6]
    for pair in found:
        i, j = classes.index(pair["actual"]), classes.index(pair["predicted"])
        assert i != j
        assert pair["count"] == matrix[i, j]
        assert pair["share"] == pytest.approx(row_shares(matrix)[i, j])


def test_a_perfect_model_confuses_nothing():
    assert most_confused(np.diag([5, 6, 7]), list("abc"), 10) == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((2, 3), int), r"expected a \(2, 2\) confusion matrix.*got shape \(2, 3\)"),
        (np.full((2, 2), 0.5), "expected counts.*float64"),
        (np.array([[1, -1], [0, 1]]), "expected counts"),
    ],
)
def test_what_is_no_matrix_of_counts_is_refused(bad, message):
    with pytest.raises(KitError, match=message):
        confusion_map(bad, ["a", "b"], True)
