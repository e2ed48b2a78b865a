import numpy as np
import pytest
from matplotlib.colors import to_rgb
from sklearn.metrics import confusion_matrix

from common.errors import KitError
from common.figures.confusion import confusion_figure, confusion_figures, most_confused, row_shares


def counts_of(figure):
    """Return the matrix that is written into the cells."""
    texts = figure.axes[0].texts
    side = round(len(texts) ** 0.5)
    matrix = np.zeros((side, side), int)
    for text in texts:
        column, row = text.get_position()
        matrix[row, column] = int(text.get_text())
    return matrix


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    return confusion_matrix(rng.integers(0, 5, 300), rng.integers(0, 5, 300))


@pytest.mark.parametrize("normalise", [False, True])
def test_cells_show_the_counts_under_the_right_names(matrix, normalise):
    classes = ["cat", "dog", "bird", "cost $5 and $6", "fish"]
    figure = confusion_figure(matrix, classes, normalise)
    axes = figure.axes[0]
    assert np.array_equal(counts_of(figure), matrix)
    assert axes.get_xlabel() == "Predicted"
    assert axes.get_ylabel() == "Actual"
    assert [t.get_text().replace("\\", "") for t in axes.get_xticklabels()] == classes
    assert [t.get_text().replace("\\", "") for t in axes.get_yticklabels()] == classes


def test_colours_are_shares_of_the_row_when_normalised(matrix):
    drawn = confusion_figure(matrix, list("abcde"), True).axes[0].images[0]
    shares = drawn.get_array()
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares * matrix.sum(axis=1, keepdims=True), matrix)


def test_a_class_without_samples_has_a_row_of_zeros():
    matrix = np.array([[3, 1], [0, 0]])
    shares = confusion_figure(matrix, ["a", "b"], True).axes[0].images[0].get_array()
    assert np.array_equal(shares, [[0.75, 0.25], [0, 0]])
    assert np.array_equal(counts_of(confusion_figure(matrix * 0, ["a", "b"], True)), matrix * 0)


def test_text_stands_out_from_its_cell(matrix):
    axes = confusion_figure(np.diag([90, 90]) + 5, ["a", "b"], True).axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column, row = text.get_position()
        cell = np.mean(image.cmap(image.norm(image.get_array()[row, column]))[:3])
        assert abs(cell - np.mean(to_rgb(text.get_color()))) > 0.4


def test_numbers_end_beyond_25_classes():
    def texts(count):
        names = [str(i) for i in range(count)]
        return confusion_figure(np.eye(count, dtype=int), names, True).axes[0].texts

    assert len(texts(25)) == 625
    assert len(texts(26)) == 0


def test_a_single_bad_pair_stays_in_sight_however_many_classes_there_are():
    matrix = np.eye(601, dtype=int)
    matrix[[7, 7, 600], [7, 400, 600]] = 0, 1, 0
    drawn = confusion_figure(matrix, [str(i) for i in range(601)], True).axes[0].images[0]
    cells = drawn.get_array()
    assert cells.shape == (201, 201)  # blocks of 3 x 3
    assert cells[2, 133] == 1  # 7 taken for 400
    assert cells[-1, -1] == 0  # the last block is one class, and what pads it
    assert drawn.get_extent() == [-0.5, 602.5, 602.5, -0.5]  # in classes


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
        confusion_figure(bad, ["a", "b"], True)
