"""The competition's metric: the area under the ROC curve, counted twice up to a TPR of 0.4.

Exact where public implementations differ or crash: ties, constant, perfect and inverse scores.
"""

import numpy as np

from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.checks import scored, undefined

TPR_THRESHOLDS = (0.0, 0.4, 1.0)  # the curve is cut at these true positive rates
WEIGHTS = (2.0, 1.0)  # one per band between two thresholds
COVER = 0  # class of an image that hides nothing; every other class is stego


def roc_curve(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates, `(P,)` from 0 to 1, one point per distinct score."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(target[order])[last_of_tie]
    alarms = np.cumsum(~target[order])[last_of_tie]
    return np.append(0.0, alarms / alarms[-1]), np.append(0.0, hits / hits[-1])


def _area(fpr: np.ndarray, tpr: np.ndarray, low: float, high: float) -> float:
    """Integrate (1 - FPR) dTPR over low <= TPR <= high, cutting the straight pieces there."""
    width = np.diff(tpr)
    rising = width > 0
    start, width, slope = tpr[:-1][rising], width[rising], np.diff(fpr)[rising]
    left, right = np.clip(start, low, high), np.clip(tpr[1:][rising], low, high)
    middle = fpr[:-1][rising] + slope * ((left + right) / 2 - start) / width
    return float(((right - left) * (1 - middle)).sum())


def weighted_auc(target: np.ndarray, score: np.ndarray) -> float:
    """Return the weighted area under the ROC curve, 0..1; a constant score gives 0.5857.

    Args:
        target: `(N,)` class, 0 for a cover, more for stego.
        score: `(N,)` any real number, higher for stego.
    """
    target, score = np.asarray(target) > COVER, np.asarray(score, dtype=np.float64)
    if target.ndim != 1 or target.shape != score.shape:
        raise KitError(
            f"weighted_auc: expected target and score of one shape (N,), "
            f"got {target.shape} and {score.shape}; score = 1 - p_cover"
        )
    if np.isnan(score).any():
        return float("nan")
    if target.all() or not target.any():
        return undefined("weighted_auc: the fold does not hold both covers and stego images")
    fpr, tpr = roc_curve(target, score)
    bands = list(zip(WEIGHTS, TPR_THRESHOLDS[:-1], TPR_THRESHOLDS[1:], strict=True))
    area = sum(weight * _area(fpr, tpr, low, high) for weight, low, high in bands)
    return area / sum(weight * (high - low) for weight, low, high in bands)


@scored(multi_label=False)
def _weighted_auc_of_classes(target: np.ndarray, prediction: np.ndarray) -> float:
    """Score `(N, C)` probabilities, cover first, against `(N,)` classes."""
    return weighted_auc(target, stego_score(prediction))


def stego_score(probs: np.ndarray) -> np.ndarray:
    """Return `(N,)` how likely an image hides something, from `(N, C)` class probabilities."""
    return 1 - probs[:, COVER]


WEIGHTED_AUC = Metric("weighted_auc", _weighted_auc_of_classes)
