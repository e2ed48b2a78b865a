"""Figures of numbers: any count of samples and columns, and what is degenerate, draw."""

import warnings

import numpy as np
import pytest

from common.figures.residuals import MANY, MOST, residuals_figure, spread_figure


def numbers(count: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    target = np.random.default_rng(0).gamma(3, 5, (count, columns))
    return target, target * 0.5 + 5


CASES = {
    "many": numbers(MANY + 1, 2),
    "more columns than rows of plots": numbers(60, MOST + 2),
    "one sample": (np.ones((1, 1)), np.full((1, 1), 3.0)),
    "constant and right": (np.ones((9, 1)), np.ones((9, 1))),
    "constant predictions": (numbers(80, 1)[0], np.ones((80, 1))),
    "one far off": (numbers(500, 1)[0], np.append(numbers(499, 1)[1], [[1e9]], 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_draws_without_a_warning(case):
    target, prediction = CASES[case]
    names = [f"a${place}" for place in range(target.shape[1])]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("ignore", ".* deprecated")  # matplotlib's own of its parser
        figures = (
            residuals_figure(target, prediction, names),
            spread_figure(target, prediction, names),
        )
        for figure in figures:
            figure.canvas.draw()
    rows = min(target.shape[1], MOST)
    assert len(figures[1].axes) == rows


def test_one_prediction_that_is_far_off_does_not_shrink_the_rest():
    figure = residuals_figure(*CASES["one far off"], ["a"])
    assert figure.axes[0].get_xlim()[1] < 2 * CASES["one far off"][0].max()


def test_the_titles_say_what_the_numbers_are():
    target, prediction = numbers(400, 1)
    left, right = residuals_figure(target, prediction, ["age"]).axes
    rmse = np.sqrt(np.square(target - prediction).mean())
    assert left.get_title() == f"RMSE {rmse:.3g} (always the mean: {target.std():.3g}), 400 samples"
    assert f"{np.median(np.abs(target - prediction)):.3g}" in right.get_title()
    (plot,) = spread_figure(target, prediction, ["age"]).axes
    assert plot.get_title() == "predictions spread 50% as far as the truth"
