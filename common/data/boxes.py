"""Boxes as arrays: `(K, 4)` float pixels xyxy, the corner (x2, y2) outside the box.

Other forms are converted at the edge, by functions that say so. Where a picture's size is asked
for it is `(width, height)`, in the order of x and y.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from common.errors import KitError


def as_boxes(boxes: ArrayLike) -> np.ndarray:
    """Return any list of boxes as `(K, 4)` float, float32 kept; no boxes: `(0, 4)`."""
    array = np.asarray(boxes)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise KitError(f"expected boxes of shape (K, 4), got {array.shape}; stack them as rows")
    return array


def xywh_to_xyxy(boxes: ArrayLike) -> np.ndarray:
    """Return boxes given as left, top, width, height (COCO, Kaggle) as `(K, 4)` xyxy."""
    boxes = as_boxes(boxes)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def xyxy_to_xywh(boxes: ArrayLike) -> np.ndarray:
    """Return `(K, 4)` xyxy boxes as left, top, width, height."""
    boxes = as_boxes(boxes)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def clip_boxes(boxes: ArrayLike, size: tuple[float, float]) -> np.ndarray:
    """Return the part of each box that lies in a picture of `(width, height)` pixels.

    A box that lies outside becomes one of zero size on the border.
    """
    boxes = as_boxes(boxes)
    return boxes.clip(0, np.array((*size, *size), boxes.dtype))


def box_areas(boxes: ArrayLike) -> np.ndarray:
    """Return `(K,)` areas in square pixels of xyxy boxes."""
    boxes = as_boxes(boxes)
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def parse_bbox(text: str) -> np.ndarray:
    """Return `(4,)` float64 x, y, width, height from a cell like "[834.0, 222.0, 56.0, 36.0]".

    Raises:
        KitError: not four numbers. NaN passes, for `repair_boxes` can name the image.
    """
    try:
        values = np.array([float(part) for part in text.strip().strip("[]()").split(",")])
    except (ValueError, AttributeError):
        values = np.zeros(0)
    if len(values) != 4:
        raise KitError(f"expected a box as '[x, y, width, height]', got {text!r}; mend the csv")
    return values


@dataclass(frozen=True)
class Repairs:
    """How many boxes were changed, and how; sums of several images by `+`."""

    zero_size: int = 0  # dropped: no width or no height
    outside: int = 0  # dropped: no part lies in the picture
    clipped: int = 0  # kept: the part that lies in the picture

    def __add__(self, other: "Repairs") -> "Repairs":
        return Repairs(
            self.zero_size + other.zero_size,
            self.outside + other.outside,
            self.clipped + other.clipped,
        )

    def __bool__(self) -> bool:
        return bool(self.zero_size or self.outside or self.clipped)

    def __str__(self) -> str:
        return (
            f"dropped {self.zero_size} boxes of zero size and {self.outside} outside their image, "
            f"clipped {self.clipped} to the border"
        )


def repair_boxes(
    boxes: ArrayLike,
    labels: ArrayLike,
    size: tuple[int, int],
    num_classes: int,
    image_id: str = "?",
) -> tuple[np.ndarray, np.ndarray, Repairs]:
    """Return the boxes of one image that can be trained on, their labels and what was mended.

    Args:
        boxes: `(K, 4)` xyxy.
        labels: `(K,)` int classes.
        size: `(width, height)` of the image.
        num_classes: labels are 0 to `num_classes` - 1.
        image_id: for the message.

    Raises:
        KitError: a mistake that cannot be mended: a NaN, x2 < x1, y2 < y1, an unknown label.
    """
    boxes, labels = as_boxes(boxes), np.asarray(labels, dtype=np.int64).reshape(-1)
    _refuse_broken(boxes, labels, num_classes, image_id)
    flat = (boxes[:, 2:] == boxes[:, :2]).any(axis=1)
    inside = clip_boxes(boxes, size)
    gone = ~flat & (inside[:, 2:] <= inside[:, :2]).any(axis=1)
    kept = ~flat & ~gone
    clipped = (inside != boxes).any(axis=1) & kept
    repairs = Repairs(int(flat.sum()), int(gone.sum()), int(clipped.sum()))
    return inside[kept], labels[kept], repairs


def _refuse_broken(boxes: np.ndarray, labels: np.ndarray, num_classes: int, image_id: str) -> None:
    if len(boxes) != len(labels):
        raise KitError(
            f"expected a label per box in image '{image_id}', got {len(labels)} for {len(boxes)}"
        )
    finite = np.isfinite(boxes).all(axis=1)
    mistakes = (
        (~finite, "four finite numbers"),
        (finite & (boxes[:, 2:] < boxes[:, :2]).any(axis=1), "x1 <= x2 and y1 <= y2 (xyxy pixels)"),
        ((labels < 0) | (labels >= num_classes), f"a label from 0 to {num_classes - 1}"),
    )
    for wrong, expected in mistakes:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise KitError(
                f"expected {expected} in every box, image '{image_id}' has {boxes[row].tolist()} "
                f"with label {labels[row]} ({int(wrong.sum())} such boxes); drop or mend them in "
                "competitions/<name>/data.py"
            )
