"""One picture of a wheat field from above, with the boxes of its heads: layer upon layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from competitions.wheat_detection.heads import (
    HEIGHT,
    LENGTH,
    MARGIN,
    blur,
    draw_awns,
    draw_stem,
)
from competitions.wheat_detection.leaves import draw_leaves, fill_leaves, ground, make_leaves
from competitions.wheat_detection.looks import Look

SIZE = 1024  # pixels, height and width of a picture
LEAST_SEEN = 0.3  # share of a head; one that is hidden more has no box
NOTHING = -1  # owner of a pixel that shows no head
COARSE = 4  # pixels to one of what varies slowly, such as shadows
DEEP, HIGH = (7, 2), (12, 4)  # detail of leaves near the ground, and of those on top


@dataclass
class Scene:
    """What a picture is made with, and what is drawn so far."""

    rng: np.random.Generator
    look: Look
    models: Sequence[np.ndarray]  # heads to choose from, see model_head
    image: np.ndarray  # (SIZE, SIZE, 3) uint8 RGB
    sun: np.ndarray  # (2,) pixels by which a shadow falls aside
    depth: float  # how dark shadows are, 0 to 1
    ripeness: float  # 0 green, 1 ripe
    rows: tuple[float, float, float] | None  # direction, distance and offset of sown rows
    lean: float  # where most heads point to
    owner: np.ndarray = field(
        default_factory=lambda: np.full((SIZE, SIZE), NOTHING, np.int16)
    )  # number of the head on top
    areas: list[int] = field(default_factory=list)  # pixels of each head, hidden ones too


def draw_field(
    rng: np.random.Generator, look: Look, models: Sequence[np.ndarray], heads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture `(SIZE, SIZE, 3)` uint8 RGB and `(K, 4)` int64 xyxy boxes, K <= heads."""
    scene = _begin(rng, look, models)
    _add_leaves(scene, 3.4, 0.46, 13, DEEP)
    scene.image = blur(scene.image, 1.0)
    _add_leaves(scene, 1.5, 0.68, 12, DEEP)
    _add_leaves(scene, 0.8, 0.84, 13, HIGH)
    _add_heads(scene, heads - heads // 2, 0.9)
    _add_leaves(scene, 0.3, 0.95, 12, HIGH)
    _add_heads(scene, heads // 2, 1.0)
    _add_leaves(scene, 0.07, 1.02, 11, HIGH)
    return _photograph(scene), _visible_boxes(scene)


def _begin(rng: np.random.Generator, look: Look, models: Sequence[np.ndarray]) -> Scene:
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(*look.sun)
    rows = rng.normal(np.pi / 2, 0.15), rng.uniform(260, 340), rng.uniform(0, 300)
    return Scene(
        rng,
        look,
        models,
        image=ground(rng, np.array(look.soil) * rng.uniform(0.7, 1.0), SIZE),
        sun=(6 + 10 * depth) * np.array((np.cos(angle), np.sin(angle))),
        depth=depth,
        ripeness=rng.uniform(*look.ripeness),
        rows=rows if look.rows else None,
        lean=rng.uniform(0, 2 * np.pi),
    )


def _scatter(scene: Scene, count: int, spread: float) -> np.ndarray:
    """Return `(count, 2)` places, some just beyond the picture, along the rows if there are any.

    Args:
        spread: standard deviation from the row as a share of the distance between rows.
    """
    places = scene.rng.uniform(-0.05 * SIZE, 1.05 * SIZE, (count, 2))
    if scene.rows is None:
        return places
    direction, distance, offset = scene.rows
    normal = np.array((-np.sin(direction), np.cos(direction)))
    across = places @ normal - offset
    target = np.round(across / distance) * distance + scene.rng.normal(0, spread * distance, count)
    return places + (target - across)[:, None] * normal


def _add_leaves(
    scene: Scene, density: float, light: float, width: float, detail: tuple[int, int]
) -> None:
    rng, look = scene.rng, scene.look
    count = round(density * look.leaves)
    dry = (scene.ripeness + rng.normal(0, 0.25, (count, 1))).clip(0, 1)
    colours = (1 - dry) * np.array(look.leaf) + dry * np.array(look.dry)
    colours = colours * light * rng.normal(1, 0.14, (count, 1)) * rng.normal(1, 0.035, (count, 3))
    leaves = make_leaves(rng, _scatter(scene, count, 0.16), (4, width), detail)
    _cast_shadow(scene, leaves)
    draw_leaves(rng, scene.image, leaves, colours)
    if scene.areas:
        fill_leaves(scene.owner, leaves, NOTHING)


def _cast_shadow(scene: Scene, leaves: np.ndarray) -> None:
    """Darken what lies below leaves: where their shadow falls, and a little all around them."""
    cover = np.zeros((SIZE // COARSE, SIZE // COARSE), np.uint8)
    fill_leaves(cover, leaves, 255, scale=1 / COARSE)
    move = np.column_stack([np.eye(2), scene.sun / COARSE])
    cast = cv2.warpAffine(cover, move, cover.shape, borderMode=cv2.BORDER_REPLICATE)
    light = (255 - 0.45 * scene.depth * blur(cast, 1.2)) * (1 - 0.3 / 255 * blur(cover, 5))
    planes = cv2.resize(cv2.merge([light.astype(np.uint8)] * 3), (SIZE, SIZE))
    scene.image = cv2.multiply(scene.image, planes, scale=1 / 255)


def _add_heads(scene: Scene, count: int, light: float) -> None:
    rng, look = scene.rng, scene.look
    for place in _scatter(scene, count, 0.2):
        ripe = np.clip(scene.ripeness + rng.normal(0, 0.12), 0, 1)
        colour = (1 - ripe) * np.array(look.head) + ripe * np.array(look.ripe)
        colour = colour * light * rng.normal(1, 0.07) * rng.normal(1, 0.02, 3)
        _add_head(scene, place, scene.lean + rng.normal(0, 1.1), colour)


def _add_head(scene: Scene, place: np.ndarray, angle: float, colour: np.ndarray) -> None:
    rng, look = scene.rng, scene.look
    whole = rng.uniform(*look.length)
    length = whole * (1 - 0.5 * rng.beta(1, 2.5))  # a head that stands is seen shortened
    axis = np.array((np.cos(angle), np.sin(angle)))
    draw_stem(rng, scene.image, place - axis * length / 2, axis, whole, 0.75 * colour)
    if look.awns:
        draw_awns(rng, scene.image, place, axis, length, look.awns * length, colour)
    radius = int(0.65 * whole)
    corner = np.floor(place).astype(int) - radius
    side = np.array((-axis[1], axis[0])) * rng.choice((-1, 1)) * whole * rng.uniform(0.9, 1.1)
    linear = np.stack([axis * length, side], axis=1) / LENGTH
    shift = place - corner - linear @ (MARGIN + LENGTH / 2, HEIGHT / 2)
    model = scene.models[int(rng.integers(len(scene.models)))]
    head = cv2.warpAffine(model, np.column_stack([linear, shift]), (2 * radius, 2 * radius))
    _paste(scene, head, corner, colour)


def _paste(scene: Scene, head: np.ndarray, corner: np.ndarray, colour: np.ndarray) -> None:
    """Lay a head on the scene after its shadow; keep its number and its area.

    Args:
        head: `(S, S, 2)` shade and cover.
        corner: `(2,)` x, y of its first pixel, which may lie outside.
    """
    shade, cover = head[..., 0], np.ascontiguousarray(head[..., 1])
    scene.areas.append(int((cover > 0.5).sum()))
    low, high = np.clip((corner, corner + len(head)), 0, SIZE)
    if (low >= high).any():
        return
    cast = cv2.warpAffine(cover, np.column_stack([np.eye(2), 0.7 * scene.sun]), cover.shape)
    soft = blur(cover, 5)
    shadow = np.maximum(0.55 * scene.depth * blur(cast, 3), 0.35 * soft)
    x, y = ((0.027 + 0.09 * scene.depth) * scene.sun).tolist()
    shade = shade * (0.98 + x * cv2.Sobel(soft, -1, 1, 0) + y * cv2.Sobel(soft, -1, 0, 1))
    part = tuple(slice(*ends) for ends in (np.stack([low, high]) - corner).T[::-1])
    window = tuple(slice(*ends) for ends in np.stack([low, high]).T[::-1])
    cover, shade, light = cover[part], shade[part], 1 - shadow[part]
    below = scene.image[window] * (light * (1 - cover))[..., None]
    mixed = below + (shade * cover)[..., None] * colour.astype(np.float32)
    scene.image[window] = mixed.clip(0, 255).astype(np.uint8)
    scene.owner[window][cover > 0.5] = len(scene.areas) - 1


def _visible_boxes(scene: Scene) -> np.ndarray:
    """Return `(K, 4)` int64 xyxy around what is seen of each head that is seen well enough."""
    y, x = np.nonzero(scene.owner != NOTHING)
    number, count = scene.owner[y, x], len(scene.areas)
    low, high = np.full((2, count), SIZE), np.zeros((2, count), np.int64)
    for axis, values in enumerate((x, y)):
        np.minimum.at(low[axis], number, values)
        np.maximum.at(high[axis], number, values + 1)
    seen = np.bincount(number, minlength=count) >= LEAST_SEEN * np.array(scene.areas)
    return np.concatenate([low, high]).T[seen]


def _photograph(scene: Scene) -> np.ndarray:
    """Return the picture as a camera takes it: uneven light, white balance, blur."""
    rng, look = scene.rng, scene.look
    uneven = cv2.resize(rng.normal(1, 0.08, (3, 3)).astype(np.float32), (SIZE // COARSE,) * 2)
    gains = 1.15 * rng.uniform(*look.exposure) * rng.normal(1, 0.03, 3)
    light = (128 * uneven[..., None] * gains).clip(0, 255).astype(np.uint8)
    image = cv2.multiply(scene.image, cv2.resize(light, (SIZE, SIZE)), scale=1 / 128)
    return blur(image, rng.uniform(*look.blur))
