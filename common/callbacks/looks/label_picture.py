"""How a label that is probably wrong is shown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.views import SIDE
from common.figures.grid import thumbnail
from common.figures.overlay import FOUND, MISS, TRUTH, draw_boxes, mask_overlay
from common.keys import BOXES, MASK, SIZE
from common.metrics.testimony import KIND, MISSING, REGION

WIDE = 2 * SIDE  # pixels, where a small part of the picture matters


def class_picture(sample: Mapping[str, Any], issue: Mapping[str, Any], dataset: Any) -> np.ndarray:
    """Return the image."""
    return thumbnail(image_of(dict(sample)), SIDE)


def box_picture(sample: Mapping[str, Any], issue: Mapping[str, Any], dataset: Any) -> np.ndarray:
    """Return the image with its true boxes (green) and the doubted one (yellow: it is missing)."""
    image = image_of(dict(sample))
    height, width = np.asarray(sample[SIZE]).tolist()
    scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2)
    truth = draw_boxes(image, np.asarray(sample[BOXES]), (), TRUTH)
    return thumbnail(_mark(truth, issue, region(issue) * scale), WIDE)


def mask_picture(sample: Mapping[str, Any], issue: Mapping[str, Any], dataset: Any) -> np.ndarray:
    """Return the image with its mask (green) and a frame around the doubted part."""
    image, mask = image_of(dict(sample)), np.asarray(sample[MASK])
    top, left = dataset.window(int(issue["index"]))[:2]
    inside = region(issue) - np.array([left, top, left, top])
    return thumbnail(_mark(mask_overlay(image, mask, mask), issue, inside), WIDE)


def region(issue: Mapping[str, Any]) -> np.ndarray:
    """Return `(4,)` left, top, right, bottom."""
    return np.array([issue[side] for side in REGION], np.float64)


def _mark(picture: np.ndarray, issue: Mapping[str, Any], box: np.ndarray) -> np.ndarray:
    colour = FOUND if issue[KIND] == MISSING else MISS
    return draw_boxes(picture, box[None], [issue[KIND]], colour)


PICTURES = {
    "classification": class_picture,
    "segmentation": mask_picture,
    "detection": box_picture,
}
