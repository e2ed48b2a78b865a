"""Wheat heads for the demo's pictures: spikelets in rows along an axis, seen from above."""

from collections.abc import Iterator

import cv2
import numpy as np

LENGTH, HEIGHT = 168, 96  # pixels of a head as it is modelled, and of its canvas
MARGIN = 14  # pixels beyond base and tip
SHIFT = 4  # OpenCV draws at 1 / 16 pixel


def model_head(rng: np.random.Generator, plump: float) -> np.ndarray:
    """Return a head that points right, `(HEIGHT, LENGTH + 2 MARGIN, 2)` float32: shade and cover.

    Shade is about 1 where light falls flat, darker between spikelets; cover is 0 to 1.
    """
    shade = np.full((HEIGHT, LENGTH + 2 * MARGIN), 0.5, np.float32)
    cover = np.zeros_like(shade)
    half, bend = plump * LENGTH / 2, rng.normal(0, 0.1)
    for along, side in _places(rng):
        x, width = MARGIN + along * LENGTH, half * _outline(along)
        y = HEIGHT / 2 + side * 0.52 * width + bend * LENGTH * ((along - 0.5) ** 2 - 0.1)
        angle = np.degrees(2 * bend * (along - 0.5)) + side * rng.normal(24, 4)
        size = np.array((LENGTH * 0.074, width * (0.42 if side else 0.36))) * rng.uniform(0.9, 1.15)
        _draw_spikelet(shade, cover, (x, y), size, angle, rng.normal(1, 0.09))
    grain = cv2.GaussianBlur(rng.normal(0, 0.5, shade.shape).astype(np.float32), (0, 0), 1.2)
    shade = cv2.GaussianBlur(shade, (0, 0), 0.9) + grain
    return np.dstack([shade, cv2.GaussianBlur(cover, (0, 0), 0.8)])


def _places(rng: np.random.Generator) -> Iterator[tuple[float, int]]:
    """Yield where along the axis, 0..1, and on which side, from the tip to the base."""
    count = int(rng.integers(10, 14))
    facing = rng.random() < 0.6  # one row of spikelets faces the camera between the two others
    for number in reversed(range(count)):
        along = (number + 0.5) / count
        sides = (1, -1, 0) if facing else (1, -1)
        for side in sides:
            yield along + side * 0.25 / count, side


def _outline(along: float) -> float:
    """Return the width of a head along its axis as a share of the widest."""
    return float(min(1.0, 0.55 + 2.2 * along, 0.5 + 1.7 * (1 - along)))


def _draw_spikelet(
    shade: np.ndarray,
    cover: np.ndarray,
    centre: tuple[float, float],
    size: np.ndarray,
    angle: float,
    light: float,
) -> None:
    """Draw a dark rim, a body, and a bright ridge a little towards the tip."""
    for scale, value, forward in ((1.16, 0.55, 0), (0.94, 0.95, 0.05), (0.55, 1.15, 0.18)):
        x, y = centre[0] + forward * size[0], centre[1]
        box = ((x, y), tuple((2 * scale * size).tolist()), angle)
        points = (cv2.boxPoints(box) - (x, y)) / 2
        first, second = (points[1] + points[2], points[0] + points[1])
        turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)[:, None]
        outline = (x, y) + np.cos(turns) * first + np.sin(turns) * second
        outline = np.rint(outline * 2**SHIFT).astype(np.int32)
        cv2.fillConvexPoly(shade, outline, value * light, shift=SHIFT)
        if scale > 1:
            cv2.fillConvexPoly(cover, outline, 1.0, shift=SHIFT)
