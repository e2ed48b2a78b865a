"""A town from above: ground, streets, what fills the blocks between them, trees, and light."""

from collections.abc import Callable

import numpy as np

from competitions.inria_segmentation.drawing.grounds import fill_field, fill_park, fill_yard
from competitions.inria_segmentation.drawing.houses import fill_houses, fill_ring
from competitions.inria_segmentation.drawing.objects import park_car, pick, plant_tree, vary
from competitions.inria_segmentation.drawing.plan import Block, Plan
from competitions.inria_segmentation.drawing.scene import METRE, Scene, Sun, expose
from competitions.inria_segmentation.drawing.styles import Style
from competitions.inria_segmentation.drawing.town import Town, lay_ground, lay_streets

MARGIN = 48  # pixels drawn around the picture, so that shadows and roofs come in from outside


def draw_town(style: Style, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture `(size, size, 3)` uint8 and its buildings `(size, size)` bool."""
    scene = Scene(size + 2 * MARGIN, rng)
    angle = np.radians(style.angle + rng.normal(0, 4 if style.bend else 0.3))
    first, second = rng.uniform(0, 6.28, 2)
    plan = Plan(float(angle), style.bend * METRE, (float(first), float(second)))
    axis = np.arange(scene.size, dtype=np.float32)
    town = Town(scene, plan, style, *plan.coordinates(axis[None], axis[:, None]))
    lay_ground(town)
    for block in lay_streets(town):
        if town.zone(block) is not None:
            kind = str(rng.choice(list(style.quarters), p=list(style.quarters.values())))
            QUARTERS[kind](town, block)
            _line_streets(town, block)
    _plant(town)
    azimuth, elevation = style.sun + rng.normal(0, 2, 2)
    image = expose(scene, Sun(azimuth, elevation, style.haze), MARGIN)
    return image, scene.building[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _plant(town: Town) -> None:
    scene, style, rng = town.scene, town.style, town.rng
    for place, radius in town.trees:
        pointed = rng.random() < style.conifers
        colour = vary(scene, pick(scene, style.leaves), 0.12)
        plant_tree(scene, place, radius * (0.75 if pointed else 1), colour, pointed)


def _line_streets(town: Town, block: Block) -> None:
    """Park cars and plant trees along the two streets that go through."""
    rng, style = town.rng, town.style
    taken, green = rng.uniform(0.05, 0.55), rng.uniform(0, 0.7) * (style.pavement > 1)
    for v, outward in ((block.top, -1), (block.bottom, 1)):
        for u in np.arange(block.left + 20, block.right - 20, 6.2 * METRE):
            kerb = town.plan.place(u + rng.normal(0, 2), v + outward * style.pavement * METRE)
            if rng.random() < taken:
                turn = rng.choice([0, np.pi]) + rng.normal(0, 0.03)
                park_car(town.scene, kerb.shifted(0, outward * 1.2 * METRE, turn))
            if rng.random() < 0.4 * green:
                town.tree(kerb.shifted(0, -outward * 0.8 * METRE))


QUARTERS: dict[str, Callable[[Town, Block], None]] = {
    "houses": fill_houses,
    "ring": fill_ring,
    "yard": fill_yard,
    "park": fill_park,
    "field": fill_field,
}
