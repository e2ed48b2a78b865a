"""Decisions on masks whose pictures were counted at many thresholds and least areas of a part.

Of M pictures: one class `(M, T, A, 4)` counts at LEVELS and AREAS; several `(M, A, C, C)` tables;
objects `(M, D, T, A)` precisions for D least distances between the middles of two of them, NaN for
a picture of which no pixel counts.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from common.metrics.base import Metric
from common.metrics.nested import Rule, Tuned
from common.metrics.parts import AREAS, LEVELS
from common.metrics.searches import best_of

INSTANCE_AP = "instance_ap"
Apply = Callable[[np.ndarray, np.ndarray], np.ndarray]  # predictions and values -> decided
THRESHOLD, AREA, BOTH = "threshold", "least area", "threshold and least area"
ALL = "threshold, least area and distance"


def pixel_rules(metric: Metric, several: bool) -> Iterator[Rule]:
    """Yield what can be tuned for a score of counted pixels.

    Args:
        metric: of `(M, 1, 4)` counts at one threshold, or of `(M, C, C)` tables.
        several: classes, which have no threshold.
    """
    if several:
        yield _rule(AREA, metric, _tables, [np.array([area]) for area in AREAS])
        return
    both = _grid(LEVELS, AREAS)
    yield _rule(THRESHOLD, metric, _counts, [pair[:1] for pair in both if pair[1] == 0])
    yield _rule(BOTH, metric, _counts, both)


def object_rule(levels: Sequence[float], what: str, distances: Sequence[int] = (0,)) -> Rule:
    """Return what can be tuned for the precision of objects.

    Args:
        levels: T thresholds.
        what: how objects are parted, in a word.
        distances: D of them, the usual one first; one is not tuned.
    """

    def apply(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
        apart = list(distances).index(int(values[2])) if len(values) > 2 else 0
        return prediction[:, apart, list(levels).index(values[0]), AREAS.index(int(values[1]))]

    metric, pairs = Metric(INSTANCE_AP, mean_precision), _grid(levels, AREAS)
    if len(distances) == 1:
        return _rule(f"{BOTH} of {what}", metric, apply, pairs)
    grid = [np.append(pair, distance) for distance in distances for pair in pairs]
    return _rule(f"{ALL} of {what}", metric, apply, grid)


def mean_precision(target: np.ndarray, values: np.ndarray) -> float:
    """Return the mean of `(M,)` pictures; those of which no pixel counts are left out."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def chosen_values(tuned: Sequence[Tuned], usual: Sequence[float]) -> list[float]:
    """Return the values worth predicting with: the best by its nested score, if it beats `usual`.

    With one fold nothing is nested; then it is what was best on the samples that chose it.
    """
    gains = [(one.naive if np.isnan(one.nested) else one.nested) - one.usual for one in tuned]
    best = int(np.argmax(gains)) if gains else -1
    if best < 0 or not gains[best] > 0:
        return list(usual)
    values = [float(value) for value in tuned[best].values]
    return values + list(usual)[len(values) :]


def _rule(name: str, metric: Metric, apply: Apply, grid: list[np.ndarray]) -> Rule:
    """Return the rule that takes the first best of a grid; its first is the usual one."""

    def fit(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        return best_of(
            grid, lambda v: metric.function(target, apply(prediction, v)), metric.maximise
        )

    return Rule(name, fit, apply, metric.function, grid[0])


def _grid(levels: Sequence[float], areas: Sequence[int]) -> list[np.ndarray]:
    """Return all pairs, those nearest to 0.5 and to no least area first: they win among equals."""
    pairs = sorted(product(levels, areas), key=lambda pair: (abs(pair[0] - 0.5), pair[1]))
    return [np.array(pair, np.float64) for pair in pairs]


def _counts(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
    least = int(values[1]) if len(values) > 1 else 0
    return prediction[:, LEVELS.index(values[0]), AREAS.index(least)][:, None]


def _tables(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
    return prediction[:, AREAS.index(int(values[0]))]
