"""From which score on a found box is right often enough: scores are no probabilities."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.metrics.box_curves import rank_boxes

IOU = np.array([0.5])  # above which a found box is right
TINY = 1e-4


class Cut(NamedTuple):
    """Scores that part the boxes of a class: what is below `unsure` is nothing."""

    unsure: float  # from here on it may be an object
    sure: float  # from here on it is one


def find_cuts(
    targets: Sequence[Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
    num_classes: int,
    least: float,
) -> list[Cut]:
    """Return for each class where boxes are right with probabilities of 1 - `least` and `least`.

    The probability at a score is a logistic curve over the score's logit, fitted to which of the
    found boxes hit a true one (Platt, "Probabilistic outputs for support vector machines", 1999).
    A class that is hardly ever found right has no sure boxes: its cut is infinite.

    Args:
        targets, predictions: N pictures, as the metrics take them.
        least: above 0.5.
    """
    ranking = rank_boxes(targets, predictions, num_classes, IOU)
    cuts = []
    for label in range(num_classes):
        own = ranking.labels == label
        score_at = _inverse(ranking.scores[own], ranking.hits[own, 0])
        cuts.append(Cut(score_at(1 - least), score_at(least)))
    return cuts


class _Curve(NamedTuple):
    """Log odds of a hit: `slope` x logit of the score + `offset`."""

    slope: float
    offset: float

    def __call__(self, probability: float) -> float:
        """Return the score at which a hit is so probable; infinite if none is."""
        wanted = _logit(probability)
        if self.slope <= 0:  # scores tell nothing, all boxes are alike
            return 0.0 if self.offset >= wanted else math.inf
        return float(1 / (1 + np.exp((self.offset - wanted) / self.slope)))


def _inverse(score: np.ndarray, hit: np.ndarray) -> _Curve:
    if hit.all() or not hit.any():  # Laplace's rule, for a few hits prove little
        return _Curve(0.0, _logit((hit.sum() + 1) / (len(hit) + 2)))
    from sklearn.linear_model import LogisticRegression

    inner = np.clip(score, TINY, 1 - TINY)
    found = LogisticRegression(C=10).fit(np.log(inner / (1 - inner))[:, None], hit)
    if found.coef_[0, 0] <= 0:
        return _Curve(0.0, _logit(hit.mean()))
    return _Curve(float(found.coef_[0, 0]), float(found.intercept_[0]))


def _logit(share: float) -> float:
    inner = min(max(float(share), TINY), 1 - TINY)
    return math.log(inner / (1 - inner))
