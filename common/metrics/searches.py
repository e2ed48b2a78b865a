"""Plain searches over thresholds: the first best of a grid, one coordinate after another."""

import warnings
from collections.abc import Callable, Iterable

import numpy as np

from common.metrics.base import Metric

BY_CLASS = ("macro_f1", "macro_f2", "macro_f05", "weighted_f1")  # best where each class is best
PASSES = 3  # over all coordinates
CANDIDATES = 40  # places of a cut between its neighbours

Score = Callable[[np.ndarray], float]


def best_of(grid: Iterable[np.ndarray], score: Score, maximise: bool) -> np.ndarray:
    """Return the first of the best values; the first of all if none has a score."""
    values = list(grid)
    gains = [gain_of(score, value, maximise) for value in values]
    return values[int(np.argmax(gains))]


def gain_of(score: Score, value: np.ndarray, maximise: bool) -> float:
    """Return the score, the more the better; minus infinity where it is NaN, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # values without a score are not chosen
        found = float(score(value))
    return -np.inf if np.isnan(found) else found if maximise else -found


def search_thresholds(
    target: np.ndarray, prediction: np.ndarray, metric: Metric, grid: np.ndarray
) -> np.ndarray:
    """Return `(C,)` a threshold per label, of equals the nearest to 0.5.

    Args:
        target: `(N, C)` 0/1.
        prediction: `(N, C)` probabilities.
    """
    if metric.name in BY_CLASS:
        columns = [(target[:, [c]], prediction[:, [c]]) for c in range(target.shape[1])]
        near = sorted(grid, key=lambda value: abs(value - 0.5))
        return np.array([_best_alone(truth, said, metric, near) for truth, said in columns])

    def score(values: np.ndarray) -> float:
        return metric.function(target, (prediction >= values).astype(np.float32))

    start, coarse = np.full(target.shape[1], 0.5), grid[::2]
    return _by_coordinates(start, lambda values, place: coarse, score, metric.maximise)


def search_cuts(values: np.ndarray, num_classes: int, score: Score, maximise: bool) -> np.ndarray:
    """Return `(C - 1,)` ascending cut points of `(N,)` values, from the middles between classes.

    Candidates are quantiles of the values between two neighbouring cuts.
    """

    def candidates(cuts: np.ndarray, place: int) -> np.ndarray:
        low = cuts[place - 1] if place else -np.inf
        high = cuts[place + 1] if place + 1 < len(cuts) else np.inf
        inside = values[(values > low) & (values < high)]
        shares = np.linspace(0, 1, CANDIDATES)
        return np.append(cuts[place], np.quantile(inside, shares) if len(inside) else [])

    start = np.arange(num_classes - 1) + 0.5
    return _by_coordinates(start, candidates, score, maximise)


def _best_alone(truth: np.ndarray, said: np.ndarray, metric: Metric, grid: list[float]) -> float:
    def score(value: np.ndarray) -> float:
        return metric.function(truth, (said >= value).astype(np.float32))

    return float(best_of([np.array(value) for value in grid], score, metric.maximise))


def _by_coordinates(
    start: np.ndarray,
    candidates: Callable[[np.ndarray, int], Iterable[float]],
    score: Score,
    maximise: bool,
) -> np.ndarray:
    """Improve one coordinate after another, until a whole pass improves none."""
    values, best = start.astype(np.float64), gain_of(score, start, maximise)
    for _ in range(PASSES):
        before = best
        for place in range(len(values)):
            for candidate in candidates(values, place):
                tried = values.copy()
                tried[place] = candidate
                gain = gain_of(score, tried, maximise)
                if gain > best:
                    values, best = tried, gain
        if best == before:
            break
    return values
