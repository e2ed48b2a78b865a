"""Roofs: their shapes, what covers them and what stands on them."""

from dataclasses import dataclass, replace

import numpy as np

from competitions.inria_segmentation.drawing.objects import GLASS, PALE, build_box, lay, pick
from competitions.inria_segmentation.drawing.scene import METRE, Colour, Patch, Place, Scene, tint


@dataclass(frozen=True)
class Roof:
    """How a building is covered; lengths in pixels."""

    kind: str  # gable, hip or flat
    colour: Colour
    eave: float  # height of the walls
    pitch: float  # rise per pixel towards the ridge


def build_roof(
    scene: Scene, place: Place, half_length: float, half_width: float, roof: Roof
) -> None:
    """Put up a building; the ridge runs along the place's direction."""
    patch = scene.patch(place, np.hypot(half_length, half_width) + 1)
    if patch is None:
        return
    to_end, to_side = half_length - np.abs(patch.along), half_width - np.abs(patch.across)
    inward = {"gable": to_side, "hip": np.minimum(to_side, to_end)}.get(roof.kind)
    edge = np.minimum(to_side, to_end)
    if inward is None:
        height = roof.eave + 1.6 * np.clip(2.2 - edge, 0, 1)  # a parapet
    else:
        height = roof.eave + roof.pitch * inward
    colour = _cladding(scene, patch, roof, edge)
    cover = patch.rectangle(half_length, half_width)
    scene.build(patch, cover, colour, height.astype(np.float32), building=True)
    details = _on_flat if inward is None else _on_pitched
    details(scene, place, half_length, half_width, roof)


def _cladding(scene: Scene, patch: Patch, roof: Roof, edge: np.ndarray) -> np.ndarray:
    """Return `(h, w, 3)` albedo: rows of tiles, or gravel and stains, by the roof's kind."""
    window = patch.window
    tone = 1 + 0.04 * scene.grain[window] + 0.05 * scene.lumps[window]
    if roof.kind == "flat":
        tone += 0.07 * scene.cloud[window] + 0.16 * (edge < 1.4)
    else:
        tone += 0.05 * np.sin(patch.across * 2.1) + 0.03 * scene.cloud[window]
        tone -= 0.12 * (edge < 1.0)  # the gutter
    return tint(tone, roof.colour)


def _on_flat(scene: Scene, place: Place, length: float, width: float, roof: Roof) -> None:
    """Put machines and skylights on a flat roof, more on a larger one."""
    rng = scene.rng
    for _ in range(int(rng.poisson(min(length * width / 700, 14)))):
        along, across = rng.uniform(-0.75, 0.75, 2) * (length, width)
        colour = pick(scene, ((176, 178, 180), PALE, (96, 98, 100)))
        size, depth = rng.uniform(1.6, 4.2, 2)
        build_box(scene, place.shifted(along, across), size, depth, roof.eave + 5, colour)
    if rng.random() < 0.25:
        for along in np.arange(-0.7 * length, 0.7 * length, 9):
            lay(scene, place.shifted(along, 0.3 * width), 2.6, 1.6, PALE)


def _on_pitched(scene: Scene, place: Place, length: float, width: float, roof: Roof) -> None:
    """Put chimneys, windows and now and then solar panels on a pitched roof."""
    rng = scene.rng
    reach = max(length - width, 0.3 * length) if roof.kind == "hip" else 0.8 * length
    if min(length, width) < 10:
        return
    for _ in range(int(rng.integers(0, 3))):
        along, across = rng.uniform(-reach, reach), rng.uniform(-0.4, 0.4) * width
        top = roof.eave + roof.pitch * width + 3
        build_box(scene, place.shifted(along, across), 1.5, 1.5, top, (120, 96, 86))
    for _ in range(int(rng.integers(0, 4))):
        along, across = rng.uniform(-reach, reach), rng.choice([-0.55, 0.55]) * width
        colour = pick(scene, (GLASS, PALE, (90, 98, 108)))
        lay(scene, place.shifted(along, across), 1.7, 1.9, colour)
    if rng.random() < 0.1:
        lay(scene, place.shifted(0, 0.5 * width), 0.5 * reach, 0.28 * width, (40, 46, 66))


def lower(roof: Roof, by: float) -> Roof:
    """Return the same roof on lower walls."""
    return replace(roof, eave=max(roof.eave - by, 1.8 * METRE))
