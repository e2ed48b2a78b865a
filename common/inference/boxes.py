"""Boxes of several views or models, fused into one prediction.

A prediction is a dict of numpy arrays: BOXES `(K, 4)` xyxy pixels, SCORES `(K,)`, LABELS `(K,)`
int64 (absent: one class). Sizes are `(width, height)`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.data.boxes import as_boxes, box_areas, clip_boxes
from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES

Prediction = Mapping[str, Any]
Size = tuple[int, int]


def fuse(
    predictions: Sequence[Prediction],
    size: Size,
    iou: float = 0.55,
    least: float = 0.0,
    weights: Sequence[float] | None = None,
) -> dict[str, np.ndarray]:
    """Return one prediction of several of the same image, by weighted boxes fusion.

    Boxes that overlap become their mean, weighted by confidence; a box that few of the predictions
    have loses confidence (Solovyev et al., "Weighted boxes fusion", 2021). Classes stay apart.

    Args:
        predictions: one per view and model.
        size: of the image; boxes are clipped to it.
        iou: above which boxes of one class are one.
        least: boxes with a smaller score are left out.
        weights: of the predictions, by default all alike; one of 0 leaves its prediction out.
    """
    from ensemble_boxes import weighted_boxes_fusion  # imports numba, which takes seconds

    if weights is not None and len(weights) != len(predictions):
        raise KitError(f"expected {len(predictions)} weights, got {len(weights)}; one for each")
    if weights is not None and min(weights) <= 0:  # the library would divide by it
        pairs = [(p, w) for p, w in zip(predictions, weights, strict=True) if w > 0]
        predictions, weights = [p for p, _ in pairs], [w for _, w in pairs]
    parts = [_usable(prediction, size, least) for prediction in predictions]
    boxes, scores, labels = weighted_boxes_fusion(
        [xyxy_to_relative(part[BOXES], size) for part in parts],
        [part[SCORES] for part in parts],
        [part[LABELS] for part in parts],
        weights=weights,
        iou_thr=iou,
    )
    return {
        BOXES: relative_to_xyxy(boxes, size),
        SCORES: np.asarray(scores, dtype=np.float64),
        LABELS: np.asarray(labels, dtype=np.int64),
    }


def non_maximum_suppression(prediction: Prediction, iou: float = 0.5) -> dict[str, np.ndarray]:
    """Return the boxes that overlap no better one of their class, most confident first."""
    from torchvision.ops import batched_nms

    columns = _columns(prediction)
    boxes, scores = (
        torch.from_numpy(np.ascontiguousarray(columns[key], np.float64)) for key in (BOXES, SCORES)
    )
    kept = batched_nms(boxes, scores, torch.from_numpy(columns[LABELS]), iou).numpy()
    return {name: column[kept] for name, column in columns.items()}


def xyxy_to_relative(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Return `(K, 4)` pixel boxes as shares of the picture, 0 to 1."""
    return as_boxes(boxes) / np.array((*size, *size), np.float64)


def relative_to_xyxy(boxes: ArrayLike, size: Size) -> np.ndarray:
    """Return `(K, 4)` boxes from shares of the picture as pixels."""
    return as_boxes(boxes) * np.array((*size, *size), np.float64)


def _columns(prediction: Prediction) -> dict[str, np.ndarray]:
    boxes = as_boxes(prediction[BOXES])
    labels = prediction.get(LABELS, np.zeros(len(boxes)))
    scores = np.asarray(prediction[SCORES])
    return {BOXES: boxes, SCORES: scores, LABELS: np.asarray(labels, dtype=np.int64)}


def _usable(prediction: Prediction, size: Size, least: float) -> dict[str, np.ndarray]:
    """Clip to the picture; drop what has no area or no score, which the fusion would divide by."""
    columns = _columns(prediction)
    columns[BOXES] = clip_boxes(columns[BOXES], size)
    kept = (box_areas(columns[BOXES]) > 0) & (columns[SCORES] >= least) & (columns[SCORES] > 0)
    return {name: column[kept] for name, column in columns.items()}
