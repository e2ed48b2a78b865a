"""Mixing whole samples with boxes: four crops in one picture, or two pictures in one another.

A sample is `(image, boxes, labels)`: `(H, W, 3)` uint8, `(K, 4)` xyxy pixels, `(K,)` int64.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from common.data.boxes import as_boxes, box_areas, clip_boxes
from common.errors import KitError

BoxSample = tuple[np.ndarray, np.ndarray, np.ndarray]


def mosaic(
    samples: Sequence[BoxSample],
    size: int,
    random: np.random.Generator,
    min_side: float = 1.0,
    min_visible: float = 0.1,
    fill: int = 114,
) -> BoxSample:
    """Return a picture of `(size, size, 3)` made of a crop of each of four, none of them resized.

    The four meet at a random point of the middle half (Bochkovskiy et al., "YOLOv4", 2020). Boxes
    are cut where their crop is.

    Args:
        samples: four; one that is smaller than its part is surrounded by `fill`.
        size: pixels.
        random: draws the meeting point and where each crop lies.
        min_side: boxes of which less is left, in pixels of width or height, are dropped.
        min_visible: boxes of which a smaller share of the area is left are dropped.
        fill: value of pixels that no picture covers.
    """
    if len(samples) != 4:
        raise KitError(f"expected four samples for a mosaic, got {len(samples)}; draw four")
    canvas = np.full((size, size, 3), fill, np.uint8)
    x, y = random.integers(size // 4, size - size // 4 + 1, 2).tolist()
    parts = ((0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size))
    placed = [
        _place(canvas, sample, part, random, min_side, min_visible)
        for sample, part in zip(samples, parts, strict=True)
    ]
    boxes, labels = (np.concatenate(column) for column in zip(*placed, strict=True))
    return canvas, boxes, labels


def mixup_boxes(first: BoxSample, second: BoxSample, ratio: float) -> BoxSample:
    """Return the two pictures blended, with the boxes of both.

    Args:
        first, second: of the same size.
        ratio: share of the first, 0 to 1, best near the middle: `random.beta(1.5, 1.5)` (Zhang et
            al., "Bag of freebies for training object detection neural networks", 2019).
    """
    if first[0].shape != second[0].shape:
        raise KitError(
            f"expected two images of one size, got {first[0].shape} and {second[0].shape}; "
            "crop or resize before mixup"
        )
    if not 0 <= ratio <= 1:
        raise KitError(f"expected a ratio from 0 to 1, got {ratio}; draw it from a beta")
    image = cv2.addWeighted(first[0], ratio, second[0], 1 - ratio, 0)
    boxes = np.concatenate([as_boxes(first[1]), as_boxes(second[1])])
    return image, boxes, np.concatenate([first[2], second[2]])


def _place(
    canvas: np.ndarray,
    sample: BoxSample,
    part: tuple[int, int, int, int],
    random: np.random.Generator,
    min_side: float,
    min_visible: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a random crop of the sample's size or the part's into the canvas; return its boxes."""
    image, boxes, labels = sample
    left, top, right, bottom = part
    x, dx, width = _window(image.shape[1], right - left, random)
    y, dy, height = _window(image.shape[0], bottom - top, random)
    left, top = left + dx, top + dy
    canvas[top : top + height, left : left + width] = image[y : y + height, x : x + width]
    whole = as_boxes(boxes)
    corner = np.array((x, y, x, y), whole.dtype)
    cut = clip_boxes(whole - corner, (width, height))
    seen = (cut[:, 2:] - cut[:, :2]).min(axis=1, initial=np.inf) >= max(min_side, 1e-6)
    seen &= box_areas(cut) >= min_visible * box_areas(whole)
    shift = np.array((left, top, left, top), whole.dtype)
    return cut[seen] + shift, np.asarray(labels, dtype=np.int64)[seen]


def _window(length: int, room: int, random: np.random.Generator) -> tuple[int, int, int]:
    """Return where a crop starts in the image, where in its room, and how long it is."""
    slack = length - room
    offset = int(random.integers(abs(slack) + 1))
    return (offset, 0, room) if slack >= 0 else (0, offset, length)
