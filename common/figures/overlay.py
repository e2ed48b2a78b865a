"""Truth and prediction drawn onto pictures: masks in three colours, boxes with scores."""

from collections.abc import Sequence

import cv2
import numpy as np

from common.figures.grid import check_image
from common.keys import IGNORE

HIT, ALARM, MISS = (46, 204, 64), (255, 220, 0), (255, 65, 54)  # green, yellow, red
TRUTH, FOUND = (46, 204, 64), (255, 220, 0)
UNKNOWN = 0.35  # brightness left where a mask says IGNORE


def mask_overlay(
    image: np.ndarray, truth: np.ndarray, prediction: np.ndarray, strength: float = 0.5
) -> np.ndarray:
    """Colour found foreground green, invented yellow, missed or of the wrong class red.

    Args:
        image: `(H, W, 3)` uint8.
        truth: `(H, W)` classes, 0 is the background; IGNORE is shown dark.
        prediction: `(H, W)` classes.
        strength: share of the colour, 0 to 1.
    """
    picture = check_image(image).astype(np.float32)
    known = truth != IGNORE
    kinds = (
        (HIT, known & (truth > 0) & (prediction == truth)),
        (ALARM, known & (truth == 0) & (prediction > 0)),
        (MISS, known & (truth > 0) & (prediction != truth)),
    )
    for colour, where in kinds:
        picture[where] = picture[where] * (1 - strength) + np.array(colour) * strength
    picture[~known] *= UNKNOWN
    return picture.round().astype(np.uint8)


def draw_boxes(
    image: np.ndarray,
    boxes: np.ndarray,
    words: Sequence[str] = (),
    colour: tuple[int, int, int] = TRUTH,
) -> np.ndarray:
    """Return the picture with a frame around each box and, where given, a word above it.

    Args:
        image: `(H, W, 3)` uint8.
        boxes: `(K, 4)` xyxy pixels.
        words: none, or one for each box.
        colour: RGB.
    """
    picture = check_image(image).copy()
    width = max(1, round(max(picture.shape[:2]) / 256))
    for place, (left, top, right, bottom) in enumerate(np.asarray(boxes).round().astype(int)):
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, width)
        if len(words):
            _write(picture, words[place], (left, top), colour, width)
    return picture


def side_by_side(*images: np.ndarray, gap: int = 4) -> np.ndarray:
    """Return `(H, W, 3)` pictures of one height in a row, with a white gap."""
    height = images[0].shape[0]
    bar = np.full((height, gap, 3), 255, np.uint8)
    parts = [part for image in images for part in (bar, check_image(image))][1:]
    return np.concatenate(parts, axis=1)


def _write(
    picture: np.ndarray,
    text: str,
    corner: tuple[int, int],
    colour: tuple[int, int, int],
    width: int,
) -> None:
    place = (max(corner[0], 0), max(corner[1] - 2, 8))
    for shade, thickness in (((0, 0, 0), width + 2), (colour, width)):
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35 * width, shade, thickness)
