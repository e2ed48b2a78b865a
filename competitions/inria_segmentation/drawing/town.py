"""Ground and streets of a town, and what its quarters draw with."""

from dataclasses import dataclass, field

import numpy as np

from competitions.inria_segmentation.drawing.objects import PALE, pick, vary
from competitions.inria_segmentation.drawing.plan import Block, Plan
from competitions.inria_segmentation.drawing.roofs import Roof
from competitions.inria_segmentation.drawing.scene import METRE, Colour, Patch, Place, Scene, tint
from competitions.inria_segmentation.drawing.styles import Style

CONCRETE, TAR = (186, 182, 172), (108, 108, 110)


@dataclass
class Town:
    """A scene, its streets and its style; trees are planted last, for they hang over the rest."""

    scene: Scene
    plan: Plan
    style: Style
    u: np.ndarray  # (size, size) float32, the plan's coordinates
    v: np.ndarray
    trees: list[tuple[Place, float]] = field(default_factory=list)  # and the crown's radius

    @property
    def rng(self) -> np.random.Generator:
        """The one source of chance."""
        return self.scene.rng

    def metres(self, bounds: tuple[float, float]) -> float:
        """Return a random length between two, given in metres, in pixels."""
        return float(self.rng.uniform(*bounds)) * METRE

    def tree(self, place: Place, spread: float = 0.0) -> None:
        """Plant a tree, later, somewhere around a place."""
        along, across = self.rng.normal(0, spread, 2) if spread else (0.0, 0.0)
        self.trees.append((place.shifted(along, across), self.metres(self.style.crown)))

    def roof(self) -> Roof:
        """Return a roof of the city's kinds."""
        style, rng = self.style, self.rng
        kind = str(rng.choice(list(style.kinds), p=list(style.kinds.values())))
        colour = vary(self.scene, pick(self.scene, style.roofs), 0.09)
        eave = self.metres(style.storeys) * 3
        return Roof(kind, colour, eave, float(rng.uniform(*style.pitch)))

    def zone(self, block: Block) -> Patch | None:
        """Return the window that holds a block, in the plan's coordinates from its middle."""
        corners = [(u, v) for u in block.columns for v in block.rows]
        places = [self.plan.place(u, v) for u, v in corners]
        slack = 1.2 * self.style.bend * METRE  # a bent side leaves the corners' rectangle
        (left, right), (top, bottom) = (
            np.clip((min(values) - slack, max(values) + slack), 0, self.scene.size).astype(int)
            for values in ([place.x for place in places], [place.y for place in places])
        )
        if left >= right or top >= bottom:
            return None
        window = (slice(top, bottom), slice(left, right))
        u, v = block.middle
        return Patch(window, self.u[window] - np.float32(u), self.v[window] - np.float32(v))

    def cover(self, block: Block, colour: Colour, rough: float = 0.05, rows: float = 0.0) -> None:
        """Colour a block's ground; `rows` says how much a field's furrows show."""
        patch = self.zone(block)
        if patch is not None:
            grain, cloud = self.scene.grain[patch.window], self.scene.cloud[patch.window]
            tone = 1 + rough * (grain + cloud) + rows * np.sin(patch.across * 1.6)
            inside = patch.rectangle(block.length / 2, block.depth / 2)
            self.scene.paint(patch, inside, tint(tone, colour))


def lay_ground(town: Town) -> None:
    """Cover everything with grass and bare earth."""
    scene, style = town.scene, town.style
    threshold = np.quantile(scene.cloud, style.dryness)
    green = 1 / (1 + np.exp(-3 * (scene.cloud - threshold)))[..., None]
    mixed = green * np.array(style.grass) + (1 - green) * np.array(style.earth)
    tone = 1 + 0.05 * scene.grain + 0.07 * scene.lumps
    scene.colour += tone[..., None] * mixed
    scene.slope += (0.05 * scene.lumps)[..., None]


def lay_streets(town: Town) -> list[Block]:
    """Draw the streets and return the blocks between them.

    Streets go through along u; the side streets of every strip between two are its own.
    """
    style, u, v = town.style, town.u, town.v
    reach = (style.street + style.pavement) * METRE
    distance = np.full_like(u, np.inf)  # to the nearest street's middle
    blocks, streets = [], list[float]()
    top = float(v.min()) - town.metres((0, style.strip[1]))
    while top < v.max():
        bottom = top + town.metres(style.strip)
        np.minimum(distance, np.abs(v - top), out=distance)
        strip = (v >= top) & (v < bottom)
        left = float(u.min()) - town.metres((0, style.block[1]))
        while left < u.max():
            right = left + town.metres(style.block)
            distance[strip] = np.minimum(distance[strip], np.abs(u - left)[strip])
            blocks.append(Block(left + reach, right - reach, top + reach, bottom - reach))
            left = right
        streets.append(top)
        top = bottom
    _pave(town, distance, streets)
    return blocks


def _pave(town: Town, distance: np.ndarray, streets: list[float]) -> None:
    scene, style = town.scene, town.style
    for half, colour in ((style.street + style.pavement, CONCRETE), (style.street, TAR)):
        near = distance < half * METRE + 0.5
        cover = np.minimum(half * METRE + 0.5 - distance[near], 1)[:, None]
        tone = 1 + 0.04 * scene.grain[near] + 0.05 * scene.cloud[near]
        under = scene.colour[near]
        scene.colour[near] = under + cover * (tint(tone, colour) - under)
    if style.street < 4:  # metres; too narrow for two lanes
        return
    for street in streets:
        line = (np.abs(town.v - street) < 0.7) & (town.u % 30 < 11)
        scene.colour[line] += 0.5 * (np.array(PALE, np.float32) - scene.colour[line])
