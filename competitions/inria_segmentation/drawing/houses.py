"""Houses: in gardens along a street, or wall to wall around a court."""

import numpy as np

from competitions.inria_segmentation.drawing.grounds import fill_park
from competitions.inria_segmentation.drawing.objects import (
    build_box,
    lay,
    lay_pool,
    park_car,
    pick,
    vary,
)
from competitions.inria_segmentation.drawing.plan import Block
from competitions.inria_segmentation.drawing.roofs import Roof, build_roof, lower
from competitions.inria_segmentation.drawing.scene import METRE, Place
from competitions.inria_segmentation.drawing.styles import GRAVEL
from competitions.inria_segmentation.drawing.town import CONCRETE, TAR, Town


def fill_houses(town: Town, block: Block) -> None:
    """Give both long sides of a block a row of lots, back to back."""
    depth = block.depth / 2
    for v, turn in ((block.top, 0.0), (block.bottom, np.pi)):
        left = block.left
        while left + town.style.lot[0] * METRE < block.right:
            width = min(town.metres(town.style.lot), block.right - left)
            front = town.plan.place(left + width / 2, v).shifted(0, 0, turn)
            if town.rng.random() < 0.96:
                _fill_lot(town, front, width, depth)
            left += width


def _fill_lot(town: Town, front: Place, width: float, depth: float) -> None:
    """Lay a garden and a driveway and put up a house; across, a lot reaches from 0 to `depth`."""
    scene, style, rng = town.scene, town.style, town.rng
    ground = style.earth if rng.random() < 0.5 * style.dryness else style.grass
    middle = front.shifted(0, depth / 2)
    lay(scene, middle, width / 2 - 0.5, depth / 2 - 0.5, vary(scene, ground, 0.09), rough=0.07)
    if rng.random() < 0.35:
        hedge = front.shifted(width / 2 - 1, 0.6 * depth)
        green = vary(scene, pick(scene, style.leaves), 0.1)
        build_box(scene, hedge, 1.6, 0.38 * depth, 1.8 * METRE, green, ribs=0.08)
    length, across = town.metres(style.length), town.metres(style.width)
    along_street = rng.random() < style.facing
    if not along_street:
        length, across = across, length
    length = min(length, width - 1.0 * METRE)
    setback = town.metres(style.setback)
    house = front.shifted(rng.normal(0, 0.5) * METRE, setback + across / 2)
    _drive(town, front, width, setback + across / 2)
    _build_house(town, house, length, across, along_street)
    _fill_garden(town, front, width, depth, setback + across)


def _drive(town: Town, front: Place, width: float, reach: float) -> None:
    """Lay a driveway to beside the house, and park on it."""
    scene, rng = town.scene, town.rng
    side = rng.choice([-1, 1]) * (width / 2 - 2.0 * METRE)
    colour = vary(scene, CONCRETE if rng.random() < 0.6 else TAR, 0.06)
    lay(scene, front.shifted(side, reach / 2), 1.5 * METRE, reach / 2, colour)
    if rng.random() < 0.45:
        turn = rng.choice([-0.5, 0.5]) * np.pi + rng.normal(0, 0.05)
        park_car(scene, front.shifted(side, 0.5 * reach, turn))


def _build_house(town: Town, place: Place, length: float, width: float, ridge: bool) -> None:
    """Build a house of `length` along the street, perhaps with a wing; `ridge`: it runs along."""
    rng, roof = town.rng, town.roof()
    place = place.shifted(0, 0, rng.normal(0, 0.02))
    main = place if ridge else place.shifted(0, 0, np.pi / 2)
    sides = (length / 2, width / 2) if ridge else (width / 2, length / 2)
    build_roof(town.scene, main, *sides, roof)
    if rng.random() < 0.45 and ridge:
        wing = rng.uniform(0.3, 0.42) * length
        end, out = rng.choice([-1, 1]) * (length / 2 - wing), rng.choice([-1, 1]) * 0.35 * width
        turned = place.shifted(end, out, np.pi / 2)
        build_roof(town.scene, turned, 0.5 * width, wing, lower(roof, 1))


def _fill_garden(town: Town, front: Place, width: float, depth: float, used: float) -> None:
    """Put trees, and now and then a garage or a pool, behind and before the house."""
    scene, style, rng = town.scene, town.style, town.rng
    if rng.random() < 0.35:
        place = front.shifted(rng.choice([-1, 1]) * (width / 2 - 3.4 * METRE), depth - 4 * METRE)
        roof = lower(town.roof(), 1.5 * METRE)
        build_roof(scene, place, 3 * METRE, 3.2 * METRE, Roof(roof.kind, roof.colour, 8, 0.35))
    elif rng.random() < style.pools:
        lay_pool(scene, front.shifted(rng.normal(0, 0.1) * width, (used + depth) / 2))
    for _ in range(int(rng.poisson(style.trees))):
        across = rng.uniform(used - 8, depth) if rng.random() < 0.75 else rng.uniform(2, used)
        town.tree(front.shifted(rng.uniform(-0.5, 0.5) * width, across))


def fill_ring(town: Town, block: Block) -> None:
    """Close a block with houses wall to wall around a court."""
    style, rng, scene = town.style, town.rng, town.scene
    town.cover(block, vary(scene, style.earth, 0.05))
    deep = float(rng.uniform(*style.width)) * METRE
    if min(block.length, block.depth) < 2.6 * deep:
        fill_park(town, block)
        return
    inner = Block(block.left + deep, block.right - deep, block.top + deep, block.bottom - deep)
    if rng.random() < 0.6:
        town.cover(inner, vary(scene, style.grass, 0.08), 0.08)
    for v in (block.top + deep / 2, block.bottom - deep / 2):
        _build_row(town, block.left, block.right, v, deep)
    for u in (block.left + deep / 2, block.right - deep / 2):
        _build_row(town, block.top + 0.6 * deep, block.bottom - 0.6 * deep, u, deep, aside=True)
    u, v = inner.middle
    if rng.random() < 0.6 and inner.depth > 40:
        low = Roof("flat", vary(scene, GRAVEL, 0.1), 1.4 * 3 * METRE, 0)
        build_roof(scene, town.plan.place(u, v), 0.3 * inner.length, 0.2 * inner.depth, low)
    for _ in range(int(rng.poisson(5 * style.trees))):
        place = rng.uniform((inner.left, inner.top), (inner.right, inner.bottom))
        town.tree(town.plan.place(*place))


def _build_row(
    town: Town, start: float, end: float, line: float, deep: float, aside: bool = False
) -> None:
    """Build houses wall to wall between two u on the line of a v; `aside`: u and v swapped."""
    while start < end:
        length = min(town.metres(town.style.length), end - start)
        if end - start - length < 8 * METRE:
            length = end - start
        middle = start + length / 2
        place = town.plan.place(line, middle) if aside else town.plan.place(middle, line)
        place = place.shifted(0, 0, np.pi / 2 if aside else 0)
        build_roof(town.scene, place, length / 2 + 0.3, deep / 2, town.roof())
        start += length
