"""Precision and recall of boxes by IoU and by class, from one matching."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.keys import BOXES, LABELS, SCORES
from common.metrics.curves import LEVELS, Curve, interpolated_precision, ranking_curve
from common.metrics.matching import match_boxes, separate_classes

IOUS = np.linspace(0.5, 0.95, 10)  # COCO's


class BoxRanking(NamedTuple):
    """Which of M predicted boxes hit a truth of their class, at T values of the IoU."""

    ious: np.ndarray  # (T,) ascending
    hits: np.ndarray  # (M, T) bool
    scores: np.ndarray  # (M,) float
    labels: np.ndarray  # (M,) int64
    truths: np.ndarray  # (C,) int64, true boxes of each class

    def curve(self, place: int, label: int | None = None) -> Curve:
        """Return the curve at the IoU of that place, of one class or of all boxes together."""
        rows = slice(None) if label is None else self.labels == label
        total = int(self.truths.sum() if label is None else self.truths[label])
        return ranking_curve(self.hits[rows, place], self.scores[rows], total)

    def precision(self, place: int, label: int | None = None) -> np.ndarray:
        """Return `(101,)` precision at COCO's recall levels; the mean over classes by default."""
        labels = np.flatnonzero(self.truths).tolist() if label is None else [label]
        found = [interpolated_precision(self.curve(place, one)) for one in labels]
        return np.mean(found, axis=0) if found else np.full(len(LEVELS), np.nan)


def rank_boxes(
    targets: Sequence[Mapping[str, Any]],
    predictions: Sequence[Mapping[str, Any]],
    num_classes: int,
    ious: np.ndarray = IOUS,
) -> BoxRanking:
    """Match within classes and return what hit; a box that is not finite is left out."""
    predictions = [_finite(one) for one in predictions]
    matches = match_boxes(
        [target[BOXES] for target in separate_classes(targets)],
        [prediction[BOXES] for prediction in separate_classes(predictions)],
        [prediction[SCORES] for prediction in predictions],
        ious,
    )
    labels = _joined(predictions)[matches.order]
    truths = np.bincount(_joined(targets), minlength=num_classes)
    return BoxRanking(ious, matches.hits, matches.scores, labels, truths)


def _finite(prediction: Mapping[str, Any]) -> dict[str, np.ndarray]:
    kept = np.isfinite(prediction[BOXES]).all(axis=1) & np.isfinite(prediction[SCORES])
    return {key: prediction[key][kept] for key in (BOXES, LABELS, SCORES)}


def _joined(items: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *(item[LABELS] for item in items)])
