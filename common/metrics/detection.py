"""Scores of boxes: the wheat competition's precision over IoU thresholds, and COCO's mAP.

Truth of an image: `(K, 4)` xyxy pixels, or a dict with BOXES and, for mAP, LABELS `(K,)` int.
Prediction: a dict with BOXES `(P, 4)` xyxy, SCORES `(P,)` and, for mAP, LABELS `(P,)`. All numpy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.errors import KitError
from common.keys import BOXES, SCORES
from common.metrics.base import Metric
from common.metrics.checks import undefined
from common.metrics.coco import coco_map, coco_map_50
from common.metrics.matching import Matches, match_boxes, separate_classes

THRESHOLDS = np.linspace(0.5, 0.75, 6)  # a hit has a larger IoU
GRID = np.linspace(0, 0.99, 100)
USUAL_CONFIDENCE = 0.5
Truth = np.ndarray | Mapping[str, Any]
Prediction = Mapping[str, Any]


def per_image_scores(
    targets: Sequence[Truth], predictions: Sequence[Prediction], empty: float | None = 1.0
) -> np.ndarray:
    """Return the `(N,)` mean of TP / (TP + FP + FN) over the IoU thresholds 0.50 to 0.75.

    An image with no truth and some prediction scores 0. One with neither scores `empty`, on which
    the competition's text is silent; None leaves it out, as NaN. A NaN prediction scores NaN.
    """
    matches = _match(targets, predictions)
    scores = _precision(matches, np.diff(matches.starts)[None], empty)[0]
    scores[matches.broken] = np.nan
    return scores


def wheat_score(
    targets: Sequence[Truth],
    predictions: Sequence[Prediction],
    empty: float | None = 1.0,
    confidence: float | None = None,
) -> float:
    """Return the mean over images of `per_image_scores`, the Global Wheat Detection metric.

    Labels are not looked at.

    Args:
        confidence: predictions with a lower score are dropped, best at the threshold of
            `tune_confidence`; None: every prediction counts, however low its score.
    """
    matches = _match(targets, predictions)
    if matches.broken.any():
        return float("nan")
    least = -np.inf if confidence is None else confidence
    return float(_mean(_scores_over(matches, np.array([least]), empty))[0])


def tune_confidence(
    targets: Sequence[Truth],
    predictions: Sequence[Prediction],
    grid: Sequence[float] | np.ndarray = GRID,
    empty: float | None = 1.0,
) -> tuple[float, float]:
    """Return the lowest best threshold of the grid, and the `wheat_score` of what is not under it.

    Boxes are matched in descending confidence, so a threshold cuts off the end of the list and
    leaves the matches before it alone: one matching serves the whole grid.
    """
    grid = np.asarray(grid, dtype=np.float64)
    if not len(grid):
        raise KitError("tune_confidence: expected thresholds, got an empty grid; give some")
    matches = _match(targets, predictions)
    if matches.broken.any():
        return float("nan"), undefined("tune_confidence: there are NaN predictions")
    scores = _mean(_scores_over(matches, grid, empty))
    if np.isnan(scores).all():
        return float("nan"), float("nan")
    best = int(np.nanargmax(scores))
    return float(grid[best]), float(scores[best])


def cross_tuned_wheat_score(
    targets: Sequence[Truth],
    predictions: Sequence[Prediction],
    grid: Sequence[float] | np.ndarray = GRID,
    empty: float | None = 1.0,
) -> float:
    """Return the `wheat_score` with a confidence threshold that no scored image has chosen.

    The threshold is tuned on every second image and applied to the others, and the other way
    round. Tuned and scored on the same images, as is usual, the score would be too good. What to
    watch while training: it asks only for the right order of confidences. Classes are matched
    apart where there are LABELS.
    """
    if len(targets) < 2:
        return undefined("cross_tuned_wheat_score: there are fewer than two images")
    return float(_mean(cross_tuned_scores(targets, predictions, grid, empty)[None])[0])


def cross_tuned_scores(
    targets: Sequence[Truth],
    predictions: Sequence[Prediction],
    grid: Sequence[float] | np.ndarray = GRID,
    empty: float | None = 1.0,
) -> np.ndarray:
    """Return the `(N,)` scores of images, each with the threshold of the other half; see above.

    All NaN where a prediction is NaN.
    """
    matches = _match(separate_classes(targets), separate_classes(predictions))
    if matches.broken.any():
        return np.full(len(targets), np.nan)
    scores = _scores_over(matches, np.asarray(grid, dtype=np.float64), empty)
    found = np.empty(scores.shape[1])
    for half in (0, 1):
        means = _mean(scores[:, half::2])
        best = int(np.nanargmax(means)) if np.isfinite(means).any() else 0
        found[1 - half :: 2] = scores[best, 1 - half :: 2]
    return found


def _match(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> Matches:
    truths = [target[BOXES] if isinstance(target, Mapping) else target for target in targets]
    boxes = [prediction[BOXES] for prediction in predictions]
    scores = [prediction[SCORES] for prediction in predictions]
    return match_boxes(truths, boxes, scores, THRESHOLDS)


def _precision(matches: Matches, kept: np.ndarray, empty: float | None) -> np.ndarray:
    """Return `(G, N)` scores of N images whose first `(G, N)` predictions are kept."""
    sums = np.zeros((len(matches.hits) + 1, matches.hits.shape[1]), np.int64)
    np.cumsum(matches.hits, axis=0, out=sums[1:])
    starts = matches.starts[:-1]
    hits = sums[starts + kept] - sums[starts]  # (G, N, T), the true positives
    union = kept + matches.truths  # TP + FP + FN = predictions + truths - TP
    scores = (hits / np.maximum(union[..., None] - hits, 1)).mean(axis=-1)
    return np.where(union > 0, scores, np.nan if empty is None else empty)


def _scores_over(matches: Matches, grid: np.ndarray, empty: float | None) -> np.ndarray:
    """Return `(G, N)` scores of N images without the predictions under each of G thresholds."""
    num_images = len(matches.truths)
    image = np.repeat(np.arange(num_images), np.diff(matches.starts))
    kept = [np.bincount(image[matches.scores >= g], minlength=num_images) for g in grid]
    return _precision(matches, np.stack(kept), empty)


def _mean(scores: np.ndarray) -> np.ndarray:
    """Return `(G,)` means over the images that are not left out."""
    counted = ~np.isnan(scores)
    if not counted.any():
        return np.full(len(scores), undefined("wheat_score: there is no image to score"))
    total, count = np.where(counted, scores, 0).sum(axis=1), counted.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _usual_wheat_score(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> float:
    return wheat_score(targets, predictions, confidence=USUAL_CONFIDENCE)


def _usual_scores(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> np.ndarray:
    matches = _match(targets, predictions)
    scores = _scores_over(matches, np.array([USUAL_CONFIDENCE]), 1.0)[0]
    return np.where(matches.broken, np.nan, scores)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("wheat_score", _usual_wheat_score, each=_usual_scores),
        Metric("cross_tuned_wheat_score", cross_tuned_wheat_score, each=cross_tuned_scores),
        Metric("coco_map", coco_map),
        Metric("coco_map_50", coco_map_50),
    )
}
