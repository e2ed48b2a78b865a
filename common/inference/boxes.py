"""Boxes of several views or models: turned back exactly, and fused into one prediction.

A prediction is a dict of numpy arrays: BOXES `(K, 4)` xyxy pixels, SCORES `(K,)`, LABELS `(K,)`
int64 (absent: one class). Sizes are `(width, height)`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from common.data.boxes import as_boxes, box_areas, clip_boxes
from common.errors import KitError, did_you_mean
from common.keys import BOXES, LABELS, SCORES

Prediction = Mapping[str, Any]
Detect = Callable[[Tensor], Sequence[Prediction]]
Size = tuple[int, int]


class View(NamedTuple):
    """One of the 8 ways to lay a square upon itself: transposed first, then mirrored."""

    transpose: bool
    flip_x: bool  # left and right change places
    flip_y: bool  # top and bottom change places

    def image(self, images: Tensor) -> Tensor:
        """Return `(..., H, W)` images as the view shows them; `(..., W, H)` if it transposes."""
        turned = images.transpose(-2, -1) if self.transpose else images
        axes = [axis for axis, flip in ((-1, self.flip_x), (-2, self.flip_y)) if flip]
        return turned.flip(axes) if axes else turned

    def inverse_image(self, images: Tensor) -> Tensor:
        """Undo `image`."""
        axes = [axis for axis, flip in ((-1, self.flip_x), (-2, self.flip_y)) if flip]
        turned = images.flip(axes) if axes else images
        return turned.transpose(-2, -1) if self.transpose else turned

    def boxes(self, boxes: ArrayLike, size: Size) -> np.ndarray:
        """Return `(K, 4)` boxes of an image of `size` as they lie in the view."""
        boxes = as_boxes(boxes)
        if self.transpose:
            boxes = boxes[:, [1, 0, 3, 2]]
        return flip_boxes(boxes, self.size(size), self.flip_x, self.flip_y)

    def inverse_boxes(self, boxes: ArrayLike, size: Size) -> np.ndarray:
        """Undo `boxes`: from the view to the image, whose `size` it is."""
        boxes = flip_boxes(boxes, self.size(size), self.flip_x, self.flip_y)
        return boxes[:, [1, 0, 3, 2]] if self.transpose else boxes

    def size(self, size: Size) -> Size:
        """Return the view's size."""
        return size[::-1] if self.transpose else size


# The dihedral group, by the names that albumentations' D4 gives its elements.
VIEWS: dict[str, View] = {
    "e": View(False, False, False),
    "h": View(False, True, False),
    "v": View(False, False, True),
    "r180": View(False, True, True),
    "t": View(True, False, False),
    "r90": View(True, False, True),  # counter-clockwise
    "r270": View(True, True, False),
    "hvt": View(True, True, True),
}


def flip_boxes(
    boxes: ArrayLike, size: Size, flip_x: bool = False, flip_y: bool = False
) -> np.ndarray:
    """Return `(K, 4)` boxes of a mirrored picture; its own inverse."""
    boxes = as_boxes(boxes).copy()
    if flip_x:
        boxes[:, [0, 2]] = size[0] - boxes[:, [2, 0]]
    if flip_y:
        boxes[:, [1, 3]] = size[1] - boxes[:, [3, 1]]
    return boxes


def detect_views(
    detect: Detect, images: Tensor, views: Sequence[str] = tuple(VIEWS)
) -> list[list[dict[str, Any]]]:
    """Run a detector on several views of a batch; its boxes are turned back.

    Args:
        detect: `(N, C, H, W)` images to N predictions.
        images: `(N, C, H, W)`.
        views: names in VIEWS; those that transpose give the detector `(N, C, W, H)`.

    Returns:
        N lists, each with the prediction of every view: what `fuse` takes.
    """
    size = (images.shape[-1], images.shape[-2])
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(images))]
    for name in views:
        if name not in VIEWS:
            raise KitError(f"expected a view, got '{name}'; {did_you_mean(name, VIEWS)}")
        view = VIEWS[name]
        for own, prediction in zip(found, detect(view.image(images).contiguous()), strict=True):
            own.append({**prediction, BOXES: view.inverse_boxes(prediction[BOXES], size)})
    return found


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
        weights: of the predictions, by default all alike.
    """
    from ensemble_boxes import weighted_boxes_fusion  # imports numba, which takes seconds

    if weights is not None and len(weights) != len(predictions):
        raise KitError(f"expected {len(predictions)} weights, got {len(weights)}; one for each")
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
