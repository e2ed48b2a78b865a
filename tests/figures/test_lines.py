import numpy as np
import pytest

from common.figures.lines import curve_figure, histogram_figure, thin


def test_curve_holds_its_points_and_names():
    axes = curve_figure(np.arange(4), np.arange(4) ** 2, ("recall", "precision"), "pr").axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0, 0], [1, 1], [2, 4], [3, 9]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")


def test_histogram_holds_counts_over_edges():
    counts, edges = np.histogram(np.random.default_rng(0).normal(size=99), 7)
    values, bins, _ = histogram_figure(counts, edges).axes[0].patches[0].get_data()
    assert np.array_equal(values, counts)
    assert np.array_equal(bins, edges)


@pytest.mark.parametrize("points", [1, 9, 10, 11, 1000])
def test_thin_keeps_the_ends_and_the_order(points):
    x = np.arange(points)
    kept, squares = thin(x, x**2, 10)
    assert len(kept) == min(points, 10)
    assert (kept[0], kept[-1]) == (0, points - 1)
    assert (np.diff(kept) > 0).all()
    assert np.array_equal(squares, kept**2)
