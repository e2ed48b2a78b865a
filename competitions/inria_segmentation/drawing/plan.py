"""Where streets run: a grid, turned and bent, whose coordinates give every lot its place."""

import math
from dataclasses import dataclass

import numpy as np

from competitions.inria_segmentation.drawing.scene import Place

TURNS = (2 * math.pi / 610, 2 * math.pi / 470)  # radians per pixel of the bends


@dataclass(frozen=True)
class Plan:
    """Coordinates u along the streets and v across them, as functions of the picture's x and y."""

    angle: float  # radians
    bend: float  # pixels that a street swings to either side
    phases: tuple[float, float]

    def coordinates(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return u and v of points of the picture."""
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        u, v = cos * x + sin * y, cos * y - sin * x
        (first, second), bend = self.phases, np.float32(self.bend)
        swing_u, swing_v = np.sin(v * TURNS[0] + first), np.sin(u * TURNS[1] + second)
        return u + bend * swing_u, v + bend * swing_v

    def place(self, u: float, v: float) -> Place:
        """Return the point with these coordinates, facing where u grows."""
        x, y = self._find(u, v)
        ahead_x, ahead_y = self._find(u + 4, v)
        return Place(x, y, math.atan2(ahead_y - y, ahead_x - x))

    def _find(self, u: float, v: float) -> tuple[float, float]:
        """Invert `coordinates`; the bend is gentle, so that a few rounds of substitution do."""
        first, second = self.phases
        straight_u, straight_v = u, v
        for _ in range(8):
            swing_u = math.sin(straight_v * TURNS[0] + first)
            swing_v = math.sin(straight_u * TURNS[1] + second)
            straight_u, straight_v = u - self.bend * swing_u, v - self.bend * swing_v
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return cos * straight_u - sin * straight_v, sin * straight_u + cos * straight_v


@dataclass(frozen=True)
class Block:
    """A piece of land between streets, in the plan's coordinates."""

    left: float
    right: float
    top: float
    bottom: float

    @property
    def length(self) -> float:
        """Pixels along the street."""
        return self.right - self.left

    @property
    def depth(self) -> float:
        """Pixels across it."""
        return self.bottom - self.top

    @property
    def columns(self) -> tuple[float, float, float]:
        """The u of its left side, middle and right side."""
        return self.left, (self.left + self.right) / 2, self.right

    @property
    def rows(self) -> tuple[float, float, float]:
        """The v of its top, middle and bottom."""
        return self.top, (self.top + self.bottom) / 2, self.bottom

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre (u, v)."""
        return self.columns[1], self.rows[1]
