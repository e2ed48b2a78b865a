"""From a frame's columns of boxes to flat arrays: one block of memory, checked and mended."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.data.boxes import Repairs, as_boxes, repair_boxes
from common.data.frame import FIX
from common.data.image import image_size
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, LABELS, PATH

SPOT_CHECKS = 16  # files whose header is compared with the frame's width and height
WIDTH, HEIGHT = "width", "height"


@dataclass(frozen=True)
class FlatBoxes:
    """Boxes of N pictures: picture n has the rows `starts[n]` to `starts[n + 1]`."""

    boxes: np.ndarray  # (M, 4) float32 xyxy, pixels of the files
    labels: np.ndarray  # (M,) int64
    starts: np.ndarray  # (N + 1,) int64
    repairs: Repairs

    def of(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `(K, 4)` boxes and `(K,)` labels of one picture."""
        rows = slice(self.starts[index], self.starts[index + 1])
        return self.boxes[rows], self.labels[rows]

    def joined(self, other: "FlatBoxes") -> "FlatBoxes":
        """Return the boxes of these pictures, then of others."""
        return FlatBoxes(
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            self.repairs + other.repairs,
        )


def no_boxes(num_images: int) -> FlatBoxes:
    """Return what stands for pictures that nobody has labelled."""
    starts = np.zeros(num_images + 1, np.int64)
    return FlatBoxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), starts, Repairs())


def flatten_boxes(frame: pd.DataFrame, sizes: np.ndarray, num_classes: int) -> FlatBoxes:
    """Return the frame's boxes without those that cannot be trained on; warns if there are any.

    Args:
        frame: column boxes: `(K, 4)` xyxy pixels of the file, or None or NaN for none; column
            labels: `(K,)` classes, which a single class can do without.
        sizes: `(N, 2)` height and width of the files.
        num_classes: labels are 0 to `num_classes` - 1.

    Raises:
        KitError: no such column, or a box that cannot be mended (see `repair_boxes`).
    """
    _check_columns(frame, num_classes)
    found = [_array(cell) for cell in frame[BOXES]]
    if LABELS in frame.columns:
        labels = [_array(cell) for cell in frame[LABELS]]
    else:
        labels = [np.zeros(len(as_boxes(boxes)), np.int64) for boxes in found]
    kept, total, images = [], Repairs(), 0
    for cell, own, (height, width), image_id in zip(
        found, labels, sizes.tolist(), frame[IMAGE_ID], strict=True
    ):
        boxes, classes, repairs = repair_boxes(cell, own, (width, height), num_classes, image_id)
        kept.append((boxes, classes))
        total, images = total + repairs, images + bool(repairs)
    if total:
        warnings.warn(f"boxes of {images} images mended: {total}", stacklevel=3)
    return _flat(kept, total)


def picture_sizes(frame: pd.DataFrame) -> np.ndarray:
    """Return `(N, 2)` int64 height and width: the frame's columns, or else the files' headers.

    Raises:
        KitError: the columns contradict the files (a few are looked at), and so would the boxes.
    """
    if not {WIDTH, HEIGHT} <= set(frame.columns):
        return np.array([image_size(path) for path in frame[PATH]], np.int64).reshape(-1, 2)
    sizes = frame[[HEIGHT, WIDTH]].to_numpy(np.int64)
    for row in np.unique(np.linspace(0, len(frame) - 1, SPOT_CHECKS).astype(int)):
        real = image_size(frame[PATH].iloc[row])
        if real != tuple(sizes[row]):
            raise KitError(
                f"expected '{frame[IMAGE_ID].iloc[row]}' to be {sizes[row, 1]} x {sizes[row, 0]} "
                f"as the frame says (width x height), the file is {real[1]} x {real[0]}; its boxes "
                f"would lie elsewhere; mend or drop the columns, {FIX}"
            )
    return sizes


def _check_columns(frame: pd.DataFrame, num_classes: int) -> None:
    needed = [BOXES] if num_classes == 1 else [BOXES, LABELS]
    for column in needed:
        if column not in frame.columns:
            raise KitError(
                f"expected column '{column}', found {list(frame.columns)}; {FIX}, or take "
                "labelled=False to predict"
            )


def _array(cell: Any) -> np.ndarray:
    """Return what a cell holds; a left join leaves NaN where an image has no box."""
    missing = cell is None or (isinstance(cell, float) and np.isnan(cell))
    return np.zeros(0) if missing else np.asarray(cell)


def _flat(kept: Sequence[tuple[np.ndarray, np.ndarray]], repairs: Repairs) -> FlatBoxes:
    starts = np.cumsum([0, *(len(boxes) for boxes, _ in kept)])
    boxes, labels = (np.concatenate(column) for column in zip(*kept, strict=True))
    return FlatBoxes(boxes.astype(np.float32), labels, starts, repairs)
