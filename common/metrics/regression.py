"""The usual scores of real-valued predictions: target first, prediction second, a float back.

Both are `(N, C)` in the target's units, of C columns. All scores are over the whole fold at once.
Where a score does not exist (a correlation with a constant) it is NaN, with a warning.
"""

import numpy as np

from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.checks import Score, undefined


def rmse(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the root of the mean squared error over all N x C numbers."""
    return float(np.sqrt(np.square(prediction - target).mean()))


def mcrmse(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean over columns of each column's RMSE (mean column-wise RMSE)."""
    return float(np.sqrt(np.square(prediction - target).mean(0)).mean())


def rmsle(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the RMSE of log(1 + x); predictions below 0 count as 0, targets below have none."""
    if (target <= -1).any():
        return undefined("rmsle: a target is -1 or less")
    return rmse(np.log1p(target), np.log1p(np.maximum(prediction, 0)))


def absolute_errors(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` absolute errors, each the mean over columns."""
    return np.abs(np.asarray(prediction, np.float64) - np.asarray(target, np.float64)).mean(1)


def mae(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(absolute_errors(target, prediction).mean())


def r2(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the share of the variance that is explained, mean over columns."""
    total = np.square(target - target.mean(0)).sum(0)
    if (np.ptp(target, axis=0) == 0).any():
        return undefined("r2: a column's targets are all alike")
    return float((1 - np.square(prediction - target).sum(0) / total).mean())


def pearson(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the linear correlation, mean over columns."""
    return _correlation("pearson", target, prediction)


def spearman(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the correlation of ranks, mean over columns; equals share their mean rank."""
    from scipy.stats import rankdata

    return _correlation("spearman", rankdata(target, axis=0), rankdata(prediction, axis=0))


def _correlation(name: str, one: np.ndarray, other: np.ndarray) -> float:
    if (np.ptp(one, axis=0) == 0).any() or (np.ptp(other, axis=0) == 0).any():
        return undefined(f"{name}: a column's targets or predictions are all alike")
    one, other = one - one.mean(0), other - other.mean(0)
    norms = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0))
    return float(((one * other).sum(0) / norms).mean())


def _checked(name: str, function: Score) -> Score:
    """Wrap a score: float64 in, shapes and targets checked, NaN for a NaN prediction."""

    def score(target: np.ndarray, prediction: np.ndarray) -> float:
        target, prediction = (np.asarray(values, np.float64) for values in (target, prediction))
        if prediction.ndim != 2 or target.shape != prediction.shape:
            raise KitError(
                f"{name}: expected targets and predictions of one shape (N, C), got "
                f"{target.shape} and {prediction.shape}; a column for each of `classes`"
            )
        if not np.isfinite(target).all():
            raise KitError(
                f"{name}: expected finite targets, {int((~np.isfinite(target)).sum())} are not; "
                "drop or mend these rows in competitions/<name>/data.py"
            )
        if len(target) == 0:
            return undefined(f"{name}: the fold is empty")
        return function(target, prediction) if np.isfinite(prediction).all() else float("nan")

    return score


METRICS: dict[str, Metric] = {
    name: Metric(name, _checked(name, function), maximise, each)
    for name, function, maximise, each in (
        ("rmse", rmse, False, None),
        ("mcrmse", mcrmse, False, None),
        ("rmsle", rmsle, False, None),
        ("mae", mae, False, absolute_errors),
        ("r2", r2, True, None),
        ("pearson", pearson, True, None),
        ("spearman", spearman, True, None),
    )
}
