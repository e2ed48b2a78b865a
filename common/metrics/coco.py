"""COCO's average precision of boxes; the numbers are those of pycocotools.

Truth of an image: `(K, 4)` xyxy pixels, or a dict with BOXES and LABELS `(K,)` int.
Prediction: a dict with BOXES `(P, 4)` xyxy, SCORES `(P,)` and LABELS `(P,)`. All numpy.
Without LABELS all boxes are of one class.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.keys import BOXES, LABELS, SCORES
from common.metrics.box_curves import IOUS
from common.metrics.curves import LEVELS
from common.metrics.matching import Matches, match_boxes, separate_classes

MOST = 100  # boxes of a class in an image that count, the most certain
Truth = np.ndarray | Mapping[str, Any]
Prediction = Mapping[str, Any]


def coco_map(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> float:
    """Return the mean average precision over IoU 0.50 to 0.95 and over the classes in the truth."""
    return _mean(average_precisions(targets, predictions))


def coco_map_50(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> float:
    """Return the mean over the classes of the average precision at an IoU of 0.50."""
    return _mean(average_precisions(targets, predictions, IOUS[:1]))


def average_precisions(
    targets: Sequence[Truth], predictions: Sequence[Prediction], ious: np.ndarray = IOUS
) -> np.ndarray:
    """Return the `(C, T)` average precision of each class in the truth at each of T values of IoU.

    As in COCO (https://github.com/cocodataset/cocoapi, cocoeval.py): precision at 101 recalls, each
    the best at this or a larger one; of all areas. A found box whose right side lies left of its
    left one is a false alarm, while pycocotools overlooks it. One that is not finite makes it NaN.

    Raises:
        KitError: not a prediction per image, or what `match_boxes` says of the boxes.
    """
    truths = [target if isinstance(target, Mapping) else {BOXES: target} for target in targets]
    # COCO takes the last of equally good truths, and an IoU that equals the threshold.
    matches = match_boxes(
        [np.asarray(truth[BOXES])[::-1] for truth in separate_classes(truths)],
        [prediction[BOXES] for prediction in separate_classes(predictions)],
        [prediction[SCORES] for prediction in predictions],
        np.nextafter(ious, 0),
    )
    classes, totals = np.unique(_labels(truths), return_counts=True)
    if matches.broken.any():
        return np.full((len(classes), len(ious)), np.nan)
    labels = _labels(predictions)[matches.order]
    counted = np.flatnonzero(_ranks(matches, labels) < MOST)
    ranked = counted[np.argsort(-matches.scores[counted], kind="stable")]
    found = [
        _average_precision(matches.hits[ranked[labels[ranked] == label]], total)
        for label, total in zip(classes, totals.tolist(), strict=True)
    ]
    return np.array(found).reshape(len(classes), len(ious))


def _labels(items: Sequence[Mapping[str, Any]]) -> np.ndarray:
    labels = [item.get(LABELS, np.zeros(len(item[BOXES]), np.int64)) for item in items]
    return np.concatenate([np.zeros(0, np.int64), *labels])


def _ranks(matches: Matches, labels: np.ndarray) -> np.ndarray:
    """Return `(M,)` places among the predictions of one class in one image, most certain first."""
    image = np.repeat(np.arange(len(matches.truths)), np.diff(matches.starts))
    names, codes = np.unique(labels, return_inverse=True)
    group = image * len(names) + codes
    order = np.argsort(group, kind="stable")  # confidences stay in their order
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return ranks


def _average_precision(hits: np.ndarray, total: int) -> np.ndarray:
    """Return `(T,)` of `(P, T)` ranked predictions for so many truths."""
    hit = np.cumsum(hits, axis=0)
    precision = hit / np.arange(1, len(hit) + 1)[:, None]
    best = np.maximum.accumulate(precision[::-1])[::-1]
    best = np.append(best, np.zeros((1, hits.shape[1])), axis=0)
    places = [np.searchsorted(recall, LEVELS) for recall in (hit / total).T]
    return np.array([column[place].mean() for column, place in zip(best.T, places, strict=True)])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
