"""Wheat heads for the demo's pictures: spikelets in rows along an axis, seen from above."""

from collections.abc import Iterator

import cv2
import numpy as np

LENGTH, HEIGHT, MARGIN = 160, 96, 20  # pixels: a head's length, its canvas, room at both ends
SHIFT = 4  # OpenCV draws at 1 / 16 pixel
AWNS = 18  # bristles of a head


def model_head(rng: np.random.Generator, plump: float) -> np.ndarray:
    """Return a head that points right, `(HEIGHT, LENGTH + 2 MARGIN, 2)` float32: shade and cover.

    Shade is about 1 where light falls flat, less between spikelets; cover is 0 to 1.

    Args:
        plump: width of the head / its length.
    """
    shade = np.full((HEIGHT, LENGTH + 2 * MARGIN), 0.6, np.float32)
    cover = np.zeros_like(shade)
    half, bend = plump * LENGTH / 2, rng.normal(0, 0.12)
    for along, side in _places(rng):
        width = half * _outline(along)
        bow = bend * LENGTH * ((along - 0.5) ** 2 - 0.1)
        centre = np.array((MARGIN + along * LENGTH, HEIGHT / 2 + side * 0.5 * width + bow))
        angle = 2 * bend * (along - 0.5) + side * rng.normal(0.33, 0.09)
        size = np.array((0.105 * LENGTH, (0.4 if side else 0.42) * width)) * rng.uniform(0.85, 1.15)
        _draw_spikelet(shade, cover, centre, size, angle, rng.normal(1, 0.1))
    grain = cv2.GaussianBlur(rng.normal(0, 0.35, shade.shape).astype(np.float32), (0, 0), 1.2)
    return np.dstack([cv2.GaussianBlur(shade, (0, 0), 0.9) + grain, blur(cover, 0.8)])


def _places(rng: np.random.Generator) -> Iterator[tuple[float, int]]:
    """Yield where along the axis, 0..1, and on which side, from the tip to the base."""
    count = int(rng.integers(9, 13))
    # A head shows two rows of spikelets, or from its other side a third one between them.
    sides = (1, -1, 0) if rng.random() < 0.6 else (1, -1)
    for number in reversed(range(count)):
        for side in sides:
            yield (number + 0.5 + 0.25 * side + rng.normal(0, 0.08)) / count, side


def _outline(along: float) -> float:
    """Return the width of a head along its axis as a share of the widest."""
    return float(min(1.0, 0.6 + 2 * along, 0.45 + 1.4 * (1 - along)))


def _draw_spikelet(
    shade: np.ndarray,
    cover: np.ndarray,
    centre: np.ndarray,
    size: np.ndarray,
    angle: float,
    light: float,
) -> None:
    """Draw a dark rim, a body and a bright ridge, each a drop that points to the tip."""
    turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)[:, None]
    axis = np.array((np.cos(angle), np.sin(angle)))
    across = np.array((-axis[1], axis[0]))
    drop = np.cos(turns) * size[0] * axis
    drop = drop + np.sin(turns) * (1 - 0.45 * np.cos(turns)) * size[1] * across
    for scale, value, forward in ((1.12, 0.66, 0.0), (0.9, 0.94, 0.04), (0.5, 1.1, 0.2)):
        outline = fixed(centre + forward * size[0] * axis + scale * drop)
        cv2.fillConvexPoly(shade, outline, value * light, shift=SHIFT)
        if scale > 1:
            cv2.fillConvexPoly(cover, outline, 1.0, shift=SHIFT)


def draw_stem(
    rng: np.random.Generator,
    image: np.ndarray,
    base: np.ndarray,
    axis: np.ndarray,
    length: float,
    colour: np.ndarray,
) -> None:
    """Draw onto `(H, W, 3)` uint8 what carries a head whose base is at `(2,)` pixels."""
    along = np.linspace(0, 1, 6)[:, None]
    side = np.array((-axis[1], axis[0])) * rng.normal(0, 0.35)
    points = fixed(base - length * rng.uniform(0.4, 1.6) * (along * axis + along**2 * side))
    for light, width in ((0.6, 6), (1.0, 3)):
        shade = (light * colour).tolist()
        cv2.polylines(image, [points], False, shade, width, cv2.LINE_AA, SHIFT)


def draw_awns(
    rng: np.random.Generator,
    image: np.ndarray,
    place: np.ndarray,
    axis: np.ndarray,
    length: float,
    reach: float,
    colour: np.ndarray,
) -> None:
    """Draw onto `(H, W, 3)` uint8 the bristles, `reach` pixels long, of a head around `place`."""
    side = np.array((-axis[1], axis[0]))
    for along in np.linspace(-0.35, 0.5, AWNS):
        slant = rng.normal(0, 0.22)
        start = place + length * (along * axis + 0.08 * np.sign(slant) * side)
        end = start + reach * rng.uniform(0.7, 1.0) * (axis + slant * side)
        points = fixed(np.stack([start, (start + end) / 2 + rng.normal(0, 2) * side, end]))
        shade = (colour * rng.uniform(0.85, 1.2)).clip(0, 255).tolist()
        cv2.polylines(image, [points], False, shade, 1, cv2.LINE_AA, SHIFT)


def fixed(points: np.ndarray) -> np.ndarray:
    """Return pixels as the int32 fixed-point numbers that OpenCV draws with `SHIFT`."""
    return np.rint(points * 2**SHIFT).astype(np.int32)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the image under a Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)
