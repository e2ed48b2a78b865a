"""From a mask of one class to its instances."""

from typing import Literal

import cv2
import numpy as np

from common.errors import KitError

Method = Literal["components", "watershed"]


def instances(
    mask: np.ndarray,
    threshold: float = 0.5,
    min_area: int = 0,
    method: Method = "components",
    min_distance: int = 5,
) -> np.ndarray:
    """Return `(H, W)` int32: 0 for the background, 1, 2, ... for each instance.

    Args:
        mask: `(H, W)` bool or 0/1, or float probabilities.
        threshold: from which a probability is foreground.
        min_area: pixels; smaller instances become background.
        method: `components`: what touches (corners, too) is one. `watershed`: what touches is cut
            at its waists, by flooding from the points that are farthest from the background.
        min_distance: pixels between two such points at least; more cuts less.
    """
    if mask.ndim != 2:
        raise KitError(f"expected a mask (H, W), got {mask.shape}; take one class at a time")
    if min_area < 0:
        raise KitError(f"expected min_area of 0 pixels or more, got {min_area}; 0 keeps all")
    foreground = mask >= threshold if mask.dtype.kind == "f" else mask != 0
    if method == "components":
        count, labels = cv2.connectedComponents(foreground.view(np.uint8), connectivity=8)
    elif method == "watershed":
        labels = _watershed(foreground, min_distance)
        count = int(labels.max(initial=0)) + 1
    else:
        raise KitError(f"expected method components or watershed, got '{method}'; name one")
    area = np.bincount(labels.ravel(), minlength=count)
    kept = (area >= min_area) & (np.arange(count) > 0)
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[labels]


def _watershed(foreground: np.ndarray, min_distance: int) -> np.ndarray:
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    # The border of the picture is no border of an object, hence a frame that counts as object.
    framed = np.pad(foreground, 1, constant_values=True).view(np.uint8)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    _, parts = cv2.connectedComponents(foreground.view(np.uint8), connectivity=8)
    peaks = peak_local_max(distance, min_distance=min_distance, labels=parts, exclude_border=False)
    markers = np.zeros(foreground.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=foreground, connectivity=2).astype(np.int32)
    # A plateau without a peak, such as a picture that is all foreground, is flooded from nowhere.
    return np.where(foreground & (labels == 0), parts + len(peaks), labels)
