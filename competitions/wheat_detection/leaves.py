"""Leaves and soil of the demo's wheat fields."""

import cv2
import numpy as np

from competitions.wheat_detection.heads import SHIFT, fixed

LENGTH = (150, 420)  # pixels of a leaf


def make_leaves(
    rng: np.random.Generator,
    start: np.ndarray,
    width: tuple[float, float],
    detail: tuple[int, int],
) -> np.ndarray:
    """Return the corners of curved, twisted, tapering leaves, `(K, *detail, 4, 2)` pixels.

    Args:
        start: `(K, 2)` pixels where the leaves begin.
        width: pixels to one side of the midrib, least and most.
        detail: patches of one shade along a leaf, and across it (even).
    """
    count, along = len(start), np.linspace(0, 1, detail[0] + 1)
    turn = rng.uniform(0, 2 * np.pi, (count, 1)) + rng.normal(0, 0.8, (count, 1)) * along**1.5
    step = np.stack([np.cos(turn), np.sin(turn)], -1) * rng.uniform(*LENGTH, (count, 1, 1))
    middle = start[:, None] + (np.cumsum(step, axis=1) - step) / detail[0]
    normal = np.stack([-np.sin(turn), np.cos(turn)], -1)
    # Seen from above a leaf is broad where it lies flat and thin where it stands on edge.
    twist = rng.uniform(0, np.pi, (count, 1)) + rng.normal(0, 1.5, (count, 1)) * along
    half = rng.uniform(*width, (count, 1)) * (0.25 + 0.75 * np.abs(np.cos(twist)))
    half = half * (1 - along**2.5) * np.minimum(1, 0.4 + 3 * along)
    across = np.linspace(-1, 1, detail[1] + 1)[:, None]
    grid = middle[:, :, None] + across * (half[..., None] * normal)[:, :, None]
    corners = (grid[:, :-1, :-1], grid[:, 1:, :-1], grid[:, 1:, 1:], grid[:, :-1, 1:])
    return np.stack(corners, axis=3)


def draw_leaves(
    rng: np.random.Generator, image: np.ndarray, leaves: np.ndarray, colours: np.ndarray
) -> None:
    """Draw onto `(H, W, 3)` uint8 what `make_leaves` gave, in `(K, 3)` colours."""
    shades = _shades(rng, *leaves.shape[:3])[..., None] * colours[:, None, None]
    shades = shades.clip(0, 255).reshape(-1, 3).tolist()
    for patch, shade in zip(fixed(leaves).reshape(-1, 4, 2), shades, strict=True):
        cv2.fillConvexPoly(image, patch, shade, shift=SHIFT)


def fill_leaves(mask: np.ndarray, leaves: np.ndarray, value: int, scale: float = 1.0) -> None:
    """Set what leaves cover of `(H, W)`, which shows them `scale` times as large, to a value."""
    there, back = leaves[:, :, 0, 0], leaves[:, ::-1, -1, 3]  # one edge, then the other
    outlines = fixed(scale * np.concatenate([there, leaves[:, -1:, 0, 1], back], axis=1))
    for outline in outlines:
        cv2.fillPoly(mask, [outline], value, shift=SHIFT)


def _shades(rng: np.random.Generator, count: int, length: int, width: int) -> np.ndarray:
    """Return `(K, length, width)` brightness: two halves at a midrib, veins, a bow in the light."""
    halves = np.repeat(1 + rng.normal(0, 0.12, (count, 1, 2)), width // 2, axis=2)
    veins = 1 + rng.normal(0, 0.05, (count, 1, width))
    along = np.linspace(0, 1, length)[:, None]
    bow = 0.85 + 0.3 * np.sin(np.pi * (along + rng.uniform(-0.2, 0.2, (count, 1, 1))))
    return halves * veins * bow


def ground(rng: np.random.Generator, colour: np.ndarray, size: int) -> np.ndarray:
    """Return bare soil `(size, size, 3)` uint8: clods of several sizes, lit from one side."""
    half = (size // 2, size // 2)
    height = np.zeros(half, np.float32)
    for cells, strength in ((8, 0.1), (28, 0.12), (90, 0.1), (250, 0.07)):
        noise = rng.normal(0, strength, (cells, cells)).astype(np.float32)
        height += cv2.resize(noise, half, interpolation=cv2.INTER_CUBIC)
    height[1:] += 1.5 * np.diff(height, axis=0)
    light = (1 + height).clip(0.2, 2)
    soil = cv2.merge([cv2.multiply(light, value, dtype=cv2.CV_8U) for value in colour.tolist()])
    return cv2.resize(soil, (size, size), interpolation=cv2.INTER_LINEAR)
