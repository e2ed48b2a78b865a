"""Where probabilities are cut into yes and no, and what that makes of a metric."""

import warnings

import numpy as np

from common.metrics.base import Metric

GRID = np.linspace(0.02, 0.98, 49)  # 0.5 is among them


def cut(
    prediction: np.ndarray, threshold: float | np.ndarray, multilabel: bool = False
) -> np.ndarray:
    """Return `(N, C)` probabilities as 0 and 1: of two classes by that of the second.

    As an argmax of two would have it, the second class must exceed the threshold; a label of
    several must reach it (or its own, of `(C,)` thresholds).
    """
    if multilabel:
        return (prediction >= threshold).astype(np.float32)
    second = prediction[:, 1] > threshold
    return np.stack([~second, second], 1).astype(np.float32)


def label_counts(target: np.ndarray, prediction: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return `(C, 4)` int64 hits, misses, false alarms and true negatives of each label.

    Args:
        target: `(N, C)` 0/1.
        prediction: `(N, C)` probabilities.
    """
    truth, guess = target > 0.5, prediction >= threshold
    fates = (truth & guess, truth & ~guess, ~truth & guess, ~truth & ~guess)
    return np.stack([fate.sum(0) for fate in fates], 1)


def is_decided(metric: Metric, target: np.ndarray, prediction: np.ndarray) -> bool:
    """Tell whether a metric looks at decisions alone: cut at 0.5, nothing changes.

    What ranks (ROC AUC) or weighs (log loss) has no threshold.
    """
    hard = cut(prediction, 0.5, target.ndim == 2)
    one, other = (_quiet(metric, target, values) for values in (prediction, hard))
    return one == other


def best_threshold(
    target: np.ndarray, prediction: np.ndarray, metric: Metric, grid: np.ndarray = GRID
) -> tuple[float, float]:
    """Return the threshold of the grid with the best score, nearest to 0.5 of equals, and it.

    NaN, NaN where no threshold has a score.

    Args:
        target: `(N,)` int64 of two classes, or `(N, C)` 0/1.
        prediction: `(N, C)` probabilities.
    """
    several = target.ndim == 2
    scores = np.array([_quiet(metric, target, cut(prediction, t, several)) for t in grid])
    gains = np.where(np.isnan(scores), -np.inf, scores if metric.maximise else -scores)
    if not np.isfinite(gains).any():
        return float("nan"), float("nan")
    best = np.flatnonzero(gains == gains.max())
    place = best[np.abs(grid[best] - 0.5).argmin()]
    return float(grid[place]), float(scores[place])


def _quiet(metric: Metric, target: np.ndarray, prediction: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a threshold without a score is not chosen
        return float(metric.function(target, prediction))
