"""A picture from above as albedo, height and slope of every pixel, and the light that falls on it.

Lengths are pixels of 0.3 m, also upwards. Whatever stands on the ground is shaded and casts its
shadow by the same sun, so that roofs, trees and cars agree.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

METRE = 1 / 0.3  # pixels
Colour = tuple[int, int, int]  # RGB 0..255


@dataclass(frozen=True)
class Place:
    """A point of the picture and a direction, radians clockwise as seen."""

    x: float
    y: float
    angle: float

    def shifted(self, along: float, across: float, turn: float = 0.0) -> "Place":
        """Return the place so many pixels further along and to the right of the direction."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        x, y = self.x + cos * along - sin * across, self.y + sin * along + cos * across
        return Place(x, y, self.angle + turn)


@dataclass(frozen=True)
class Patch:
    """A window of a scene around a place, with its pixels' coordinates along and across."""

    window: tuple[slice, slice]
    along: np.ndarray  # (h, w) float32
    across: np.ndarray  # (h, w) float32

    def rectangle(self, half_length: float, half_width: float) -> np.ndarray:
        """Return how much of every pixel a rectangle around the place covers, `(h, w)` 0..1."""
        inside = np.minimum(half_length - np.abs(self.along), half_width - np.abs(self.across))
        return np.clip(inside + 0.5, 0, 1)


class Scene:
    """A square of ground to paint on and to build on."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.colour = np.zeros((size, size, 3), np.float32)  # albedo, 0..255
        self.height = np.zeros((size, size), np.float32)
        self.slope = np.zeros((size, size, 2), np.float32)  # rise per pixel to the right and down
        self.building = np.zeros((size, size), bool)
        self.cloud = clouds(rng, size, (4, 9, 20, 45))
        self.lumps = clouds(rng, size, (size // 9, size // 5, size // 3))
        self.grain = rng.standard_normal((size, size), np.float32)

    def patch(self, place: Place, radius: float) -> Patch | None:
        """Return the window that reaches `radius` around a place; None outside the picture."""
        left, right = int(place.x - radius) - 1, int(place.x + radius) + 2
        top, bottom = int(place.y - radius) - 1, int(place.y + radius) + 2
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, self.size), min(bottom, self.size)
        if right - left < 2 or bottom - top < 2:
            return None
        dx = np.arange(left, right, dtype=np.float32)[None] - np.float32(place.x)
        dy = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(place.y)
        cos, sin = np.float32(np.cos(place.angle)), np.float32(np.sin(place.angle))
        return Patch(
            (slice(top, bottom), slice(left, right)), cos * dx + sin * dy, cos * dy - sin * dx
        )

    def paint(self, patch: Patch, cover: np.ndarray, colour: np.ndarray | Colour) -> None:
        """Colour the ground where `cover`, `(h, w)` 0..1, says."""
        under = self.colour[patch.window]
        under += cover[..., None] * (np.asarray(colour, np.float32) - under)

    def build(
        self,
        patch: Patch,
        cover: np.ndarray,
        colour: np.ndarray | Colour,
        height: np.ndarray,
        building: bool = False,
    ) -> None:
        """Put something of `(h, w)` height where it is higher than what is there."""
        above = cover * (height > self.height[patch.window])
        self.paint(patch, above, colour)
        solid = above >= 0.5
        self.height[patch.window][solid] = height[solid]
        self.slope[patch.window][solid] = np.stack(np.gradient(height)[::-1], -1)[solid]
        if building:
            self.building[patch.window] |= cover >= 0.5


@dataclass(frozen=True)
class Sun:
    """Where light comes from."""

    azimuth: float  # degrees from the picture's right, clockwise
    elevation: float  # degrees above the ground
    haze: float = 0.0  # 0..1, how far everything fades


def tint(tone: np.ndarray, colour: Colour) -> np.ndarray:
    """Return a colour `(..., 3)` times a tone `(...)` around 1."""
    return tone[..., None] * np.array(colour, np.float32)


def clouds(rng: np.random.Generator, size: int, cells: tuple[int, ...]) -> np.ndarray:
    """Return smooth noise `(size, size)` of mean 0 and deviation 1; `cells` waves across."""
    total = np.zeros((size, size), np.float32)
    for cell in cells:
        coarse = rng.standard_normal((cell + 1, cell + 1), np.float32)
        total += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) / cell**0.5
    return (total - total.mean()) / total.std()


def expose(scene: Scene, sun: Sun, margin: int) -> np.ndarray:
    """Return what a camera sees, `(size - 2 margin, size - 2 margin, 3)` uint8."""
    azimuth, elevation = np.radians([sun.azimuth, sun.elevation])
    to_sun = np.cos(azimuth) / np.tan(elevation), np.sin(azimuth) / np.tan(elevation)
    slope_x, slope_y = scene.slope[..., 0], scene.slope[..., 1]
    facing = 1 - slope_x * np.float32(to_sun[0]) - slope_y * np.float32(to_sun[1])
    facing = np.maximum(facing, 0) / np.sqrt(1 + slope_x**2 + slope_y**2)
    direct = facing * _lit(scene.height, azimuth, np.tan(elevation))
    sky = np.exp(-0.012 * np.maximum(cv2.blur(scene.height, (41, 41)) - scene.height, 0))
    light = direct[..., None] * np.array((0.74, 0.71, 0.64), np.float32)
    light += sky[..., None] * np.array((0.28, 0.31, 0.37), np.float32)
    seen = scene.colour * light
    seen += 0.16 * (seen.mean(2, keepdims=True) - seen)  # through the air colours pale
    seen += sun.haze * (np.array((196, 204, 212), np.float32) - seen)
    seen = cv2.GaussianBlur(seen, (0, 0), 0.65)
    seen += 2.2 * scene.rng.standard_normal(seen.shape[:2], np.float32)[..., None]
    seen = seen[margin : scene.size - margin, margin : scene.size - margin]
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _lit(height: np.ndarray, azimuth: float, rise: float) -> np.ndarray:
    """Return 1 in the sun and 0 in a shadow, `(H, W)`, softened by a pixel.

    A pixel is dark if, some steps towards the sun, something is higher than the ray there.
    """
    size = len(height)
    steps = int(height.max() / rise) + 1
    padded = np.pad(height, steps + 1)
    ray = np.full_like(height, -1)
    for step in range(1, steps + 1):
        right, down = round(step * np.cos(azimuth)), round(step * np.sin(azimuth))
        top, left = steps + 1 + down, steps + 1 + right
        np.maximum(ray, padded[top : top + size, left : left + size] - step * rise, out=ray)
    return cv2.GaussianBlur((ray <= height + 0.3).astype(np.float32), (0, 0), 0.7)
