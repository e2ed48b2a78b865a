"""Pictures as 64 bits that survive another size, another JPEG quality, another brightness.

The bits say which of the lowest frequencies of a discrete cosine transform are above their median
(pHash; Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010). The
mean is left out, and thereby the brightness.
"""

import cv2
import numpy as np

SIDE = 32  # pixels that are transformed
BITS = 64
THUMB = 16  # pixels, side of the thumbnails by which likeness is confirmed
FLAT = 3.0  # grey levels of standard deviation; below, the bits are noise
_SUMS = np.add.outer(np.arange(SIDE), np.arange(SIDE)).ravel()
LOWEST = np.argsort(_SUMS, kind="stable")[1 : BITS + 1]  # without the mean


def small_grey(image: np.ndarray) -> np.ndarray:
    """Return `(H, W, 3)` or `(H, W)` uint8 averaged down to `(SIDE, SIDE)` float32 grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return cv2.resize(grey.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def perceptual_hash(grey: np.ndarray) -> np.uint64:
    """Return 64 bits of what `small_grey` gives."""
    low = cv2.dct(grey).ravel()[LOWEST]
    return np.packbits(low > np.median(low)).view(np.uint64)[0]


def thumbnail_of(grey: np.ndarray) -> np.ndarray:
    """Return `(THUMB * THUMB,)` uint8 of what `small_grey` gives."""
    small = cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return small.round().astype(np.uint8).ravel()


def is_flat(grey: np.ndarray) -> bool:
    """Say whether there is next to nothing to see: a blank tile resembles all other blank tiles."""
    return float(grey.std()) < FLAT


def likeness(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the `(P,)` correlation, -1 to 1, of `(P, T)` thumbnails pair by pair."""
    a, b = (
        part - part.mean(1, keepdims=True) for part in (left.astype(float), right.astype(float))
    )
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return (a * b).sum(1) / np.maximum(scale, 1e-9)


def distance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return how many bits differ."""
    return np.bitwise_count(np.bitwise_xor(left, right))
