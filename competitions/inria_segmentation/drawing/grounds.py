"""Open ground: yards with halls and car parks, parks, and fields."""

import numpy as np

from competitions.inria_segmentation.drawing.objects import (
    lay,
    lay_car_park,
    lay_court,
    park_container,
    pick,
    vary,
)
from competitions.inria_segmentation.drawing.plan import Block
from competitions.inria_segmentation.drawing.roofs import Roof, build_roof, lower
from competitions.inria_segmentation.drawing.scene import METRE, Colour
from competitions.inria_segmentation.drawing.styles import GRAVEL, TIN, WHITE
from competitions.inria_segmentation.drawing.town import CONCRETE, TAR, Town

CROPS: tuple[Colour, ...] = ((98, 136, 62), (126, 154, 80), (160, 146, 108), (166, 160, 100))
HALLS: tuple[Colour, ...] = (WHITE, GRAVEL, TIN, (128, 130, 132), (112, 96, 88), (170, 158, 140))


def fill_yard(town: Town, block: Block) -> None:
    """Put up a hall or two beside a car park, with containers behind."""
    scene, rng = town.scene, town.rng
    town.cover(block, vary(scene, pick(scene, (TAR, CONCRETE, (146, 144, 140))), 0.05))
    share = rng.uniform(0.35, 0.55)
    middle = block.left + share * block.length
    u, v = (block.left + middle) / 2, block.middle[1]
    colour = vary(scene, pick(scene, HALLS), 0.06)
    hall = Roof("flat", colour, town.metres((5, 9)), 0)
    length, width = 0.42 * (middle - block.left), rng.uniform(0.28, 0.36) * block.depth
    build_roof(scene, town.plan.place(u, v), length, width, hall)
    if rng.random() < 0.6:
        annex = town.plan.place(u + 0.5 * length, v + width)
        build_roof(scene, annex, 0.4 * length, 0.25 * width, lower(hall, 10))
    u, half = (middle + block.right) / 2, 0.45 * (block.right - middle)
    lay_car_park(scene, town.plan.place(u, v - 0.1 * block.depth), half, 0.38 * block.depth)
    for u in np.arange(middle, block.right - 8 * METRE, 3.2 * METRE):
        if rng.random() < 0.55:
            spot = town.plan.place(u, block.bottom - 6.5 * METRE)
            park_container(scene, spot.shifted(0, 0, np.pi / 2 + rng.normal(0, 0.03)))
    for _ in range(int(rng.poisson(5))):
        town.tree(town.plan.place(rng.uniform(block.left, block.right), block.top), 4)


def fill_park(town: Town, block: Block) -> None:
    """Lay grass, paths and courts under trees."""
    scene, style, rng = town.scene, town.style, town.rng
    town.cover(block, vary(scene, style.grass, 0.06), 0.09)
    u, v = block.middle
    path = town.plan.place(u, v).shifted(0, 0, rng.uniform(-0.5, 0.5))
    lay(scene, path, 0.5 * block.length, 3.5, CONCRETE)
    for number in range(int(rng.choice([0, 0, 1, 2]))):
        court = town.plan.place(block.left + (14 + 19 * number) * METRE, v)
        lay_court(scene, court.shifted(0, 0, np.pi / 2))
    for _ in range(int(rng.poisson(block.length * block.depth / 1500))):
        place = rng.uniform((u, block.top), (block.right, block.bottom))
        town.tree(town.plan.place(*place), 10)


def fill_field(town: Town, block: Block) -> None:
    """Lay fields side by side, with a barn and a few trees at their edges."""
    scene, rng = town.scene, town.rng
    left = block.left
    while left < block.right:
        right = min(left + town.metres((18, 60)), block.right)
        crop = vary(scene, pick(scene, CROPS), 0.07)
        strip = Block(left, right, block.top, block.bottom)
        town.cover(strip, crop, rng.uniform(0.03, 0.1), rows=rng.choice([0, 0.05, 0.1]))
        left = right
    if rng.random() < 0.6:
        u, v = rng.uniform((block.left, block.top), (block.right, block.bottom))
        barn = town.plan.place(u, v).shifted(0, 0, rng.uniform(-0.4, 0.4))
        build_roof(scene, barn, town.metres((8, 13)), town.metres((4.5, 6)), lower(town.roof(), 8))
    for _ in range(int(rng.poisson(7))):
        town.tree(town.plan.place(rng.uniform(block.left, block.right), block.bottom), 3)
