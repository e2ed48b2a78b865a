"""What lies or stands in a scene beside buildings; some of it may be taken for one."""

from collections.abc import Sequence

import numpy as np

from competitions.inria_segmentation.drawing.scene import METRE, Colour, Place, Scene, tint

CARS: tuple[Colour, ...] = (
    (205, 207, 208),
    (235, 235, 232),
    (60, 62, 66),
    (35, 36, 40),
    (130, 133, 137),
    (96, 100, 106),
    (140, 40, 36),
    (52, 74, 116),
    (150, 140, 118),
)
BOXES: tuple[Colour, ...] = (
    (150, 66, 48),
    (64, 92, 132),
    (172, 172, 168),
    (88, 112, 86),
    (196, 150, 70),
    (120, 120, 122),
)
COURTS: tuple[Colour, ...] = ((70, 104, 140), (74, 116, 84), (158, 92, 70))
GLASS, PALE, WATER = (38, 44, 52), (214, 212, 206), (84, 164, 186)


def pick(scene: Scene, items: Sequence[Colour]) -> Colour:
    """Return one of the colours, at random."""
    return items[int(scene.rng.integers(len(items)))]


def vary(scene: Scene, colour: Colour, by: float) -> Colour:
    """Return a colour somewhat brighter or darker, and somewhat warmer or colder."""
    bright, warm = 1 + by * scene.rng.standard_normal(2) * (1, 0.2)
    red, green, blue = colour
    return int(red * bright * warm), int(green * bright), int(blue * bright / warm)


def lay(
    scene: Scene,
    place: Place,
    half_length: float,
    half_width: float,
    colour: Colour,
    rough: float = 0.03,
) -> None:
    """Colour a rectangle of the ground, or of what stands on it."""
    patch = scene.patch(place, np.hypot(half_length, half_width) + 1)
    if patch is not None:
        tone = 1 + rough * (scene.grain[patch.window] + scene.cloud[patch.window])
        cover = patch.rectangle(half_length, half_width)
        scene.paint(patch, cover, tint(tone, colour))


def build_box(
    scene: Scene,
    place: Place,
    half_length: float,
    half_width: float,
    height: float,
    colour: Colour,
    ribs: float = 0.0,
) -> None:
    """Put up a box that is no building; `ribs` says how much a metal wall's folds show."""
    patch = scene.patch(place, np.hypot(half_length, half_width) + 1)
    if patch is not None:
        tone = 1 + 0.04 * scene.grain[patch.window] + ribs * np.sin(patch.along * 2.0)
        cover = patch.rectangle(half_length, half_width)
        level = np.full_like(cover, height)
        scene.build(patch, cover, tint(tone, colour), level)


def park_car(scene: Scene, place: Place) -> None:
    """Put a car there, its front ahead."""
    length, width = 2.25 * METRE, 0.92 * METRE
    colour = vary(scene, pick(scene, CARS), 0.06)
    build_box(scene, place, length, width, 1.0 * METRE, colour)
    cabin = place.shifted(-0.1 * length, 0)
    build_box(scene, cabin, 0.52 * length, 0.86 * width, 1.2 * METRE, GLASS)
    build_box(scene, cabin, 0.3 * length, 0.8 * width, 1.45 * METRE, colour)


def park_container(scene: Scene, place: Place) -> None:
    """Put a shipping container or a trailer there."""
    length = scene.rng.choice([3.05, 6.1]) * METRE
    colour = vary(scene, pick(scene, BOXES), 0.08)
    build_box(scene, place, length, 1.22 * METRE, 2.6 * METRE, colour, ribs=0.08)


def plant_tree(
    scene: Scene, place: Place, radius: float, colour: Colour, pointed: bool = False
) -> None:
    """Plant a tree; its crown is lumpy, and pointed for a conifer."""
    patch = scene.patch(place, 1.3 * radius)
    if patch is None:
        return
    lumps, grain = scene.lumps[patch.window], scene.grain[patch.window]
    ragged = 1 + 0.16 * lumps
    distance = np.hypot(patch.along, patch.across) / (radius * np.maximum(ragged, 0.5))
    inside = np.clip((1 - distance) * radius * 0.7, 0, 1)
    dome = np.maximum(1 - distance, 0) * 2.2 if pointed else np.sqrt(np.maximum(1 - distance**2, 0))
    height = radius * (0.7 + 1.0 * dome) + 0.09 * radius * lumps + 0.35 * grain
    tone = 0.62 + 0.38 * np.minimum(dome, 1) + 0.10 * lumps + 0.07 * grain
    cover = inside * np.clip(0.9 + 0.25 * grain, 0, 1)
    scene.build(patch, cover, tint(tone, colour), height.astype(np.float32))


def lay_car_park(scene: Scene, place: Place, half_length: float, half_width: float) -> None:
    """Lay asphalt with rows of bays along the place's direction, some of them taken."""
    lay(scene, place, half_length, half_width, vary(scene, (112, 112, 113), 0.1), rough=0.05)
    bay, row = 2.6 * METRE, 16.5 * METRE  # a row: bays, a lane and bays
    taken = scene.rng.uniform(0.15, 0.85)
    rows = max(int(2 * half_width / row), 1)
    for number in range(rows):
        middle = (number + 0.5) * 2 * half_width / rows - half_width
        for side in (-1, 1):
            across = middle + side * 5.6 * METRE
            if abs(across) + 2.6 * METRE > half_width:
                continue
            for along in np.arange(-half_length + bay, half_length - bay, bay):
                line = place.shifted(along - bay / 2, across)
                lay(scene, line, 0.35, 2.4 * METRE, PALE)
                if scene.rng.random() < taken:
                    turn = np.pi / 2 * scene.rng.choice([-1, 1]) + scene.rng.normal(0, 0.04)
                    park_car(scene, place.shifted(along, across, turn))


def lay_court(scene: Scene, place: Place) -> None:
    """Lay a tennis court, 24 x 11 m inside its fence."""
    inner, outer = scene.rng.permutation(len(COURTS))[:2]
    lay(scene, place, 17 * METRE, 8.5 * METRE, COURTS[outer])
    lay(scene, place, 11.9 * METRE, 5.5 * METRE, COURTS[inner])
    for across in (-5.5, -4.1, 4.1, 5.5):
        lay(scene, place.shifted(0, across * METRE), 11.9 * METRE, 0.4, PALE)
    for along in (-11.9, -6.4, 0, 6.4, 11.9):
        half = 5.5 if abs(along) > 7 or along == 0 else 4.1
        lay(scene, place.shifted(along * METRE, 0), 0.4, half * METRE, PALE)


def lay_pool(scene: Scene, place: Place) -> None:
    """Lay a swimming pool with its paved edge."""
    length, width = scene.rng.uniform((3.2, 1.8), (5.0, 2.6)) * METRE
    lay(scene, place, length + 4, width + 4, (196, 188, 174))
    lay(scene, place, length, width, vary(scene, WATER, 0.06))
