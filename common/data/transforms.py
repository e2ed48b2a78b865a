"""Augmentation: uint8 in, uint8 out; the model normalises."""

import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import albumentations as A
import cv2
import numpy as np

from common.errors import KitError, did_you_mean
from common.keys import IGNORE, LABELS

MASK = 2**64 - 1
TO_CV2: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "e": lambda image: image,
    "r90": lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "r180": lambda image: cv2.flip(image, -1),
    "r270": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "v": lambda image: cv2.flip(image, 0),
    "hvt": lambda image: cv2.flip(cv2.transpose(image), -1),
    "h": lambda image: cv2.flip(image, 1),
    "t": cv2.transpose,
}


def compose(transforms: Sequence[Any], **kwargs: Any) -> A.Compose:
    """Compose transforms, refusing arguments that albumentations would only warn of.

    Args:
        transforms: built transforms, nested or not.
        kwargs: of `A.Compose` (bbox_params, additional_targets, ...).

    Raises:
        KitError: a transform was given an argument that it does not have.
    """
    for transform in _walk(transforms):
        for name in getattr(transform, "invalid_args", ()):
            kind = type(transform)
            hint = did_you_mean(name, inspect.signature(kind.__init__).parameters)
            raise KitError(f"expected arguments of {kind.__name__}, got '{name}'; {hint}")
    return A.Compose(list(transforms), **kwargs)


def train_transforms(img_size: int | None, recipe: str = "light", boxes: bool = False) -> A.Compose:
    """Return the augmentation of a recipe, giving `(img_size, img_size, 3)` uint8.

    Args:
        img_size: pixels; None leaves the size alone (no resize, no crop).
        recipe: `none`: as validation. `flip`: mirrored. `dihedral`: the 8 turns and mirrors of a
            square. `light`: random crop, mirrored, brightness. `medium`: also turned, tinted and
            with a hole.
        boxes: also take `bboxes` (K, 4) xyxy pixels and `labels` (K,) along; boxes of which less
            than a tenth, or a pixel, is left are dropped. `medium` then turns less, for the box
            around a turned box is larger, and has no hole, for that would round boxes to pixels.
    """
    turn = 5 if boxes else 15
    recipes: dict[str, Callable[[], list[Any]]] = {
        "none": lambda: _resize(img_size),
        "flip": lambda: [*_resize(img_size), A.HorizontalFlip()],
        "dihedral": lambda: [*_resize(img_size), Dihedral()],
        "light": lambda: [*_crop(img_size, 0.5), A.HorizontalFlip(), _brightness(0.1)],
        "medium": lambda: [
            *_crop(img_size, 0.35),
            A.HorizontalFlip(),
            A.Affine(rotate=(-turn, turn), border_mode=cv2.BORDER_REFLECT_101, p=0.5),
            _brightness(0.2),
            A.HueSaturationValue(p=0.3),
            *(() if boxes else (_hole(),)),
        ],
    }
    if recipe not in recipes:
        raise KitError(
            f"expected a known augmentation, got '{recipe}'; {did_you_mean(recipe, recipes)}"
        )
    return compose(recipes[recipe](), bbox_params=_bbox_params(1.0, 0.1) if boxes else None)


def valid_transforms(img_size: int | None, boxes: bool = False) -> A.Compose:
    """Return the whole image at `(img_size, img_size, 3)`, nothing cut off; None: as it is.

    With `boxes` it takes `bboxes` and `labels` along, and drops none.
    """
    return compose(_resize(img_size), bbox_params=_bbox_params(0.0, 0.0) if boxes else None)


class Dihedral(A.D4):
    """`A.D4` by OpenCV: a tenth of the time on uint8 pictures, the same pixels."""

    def apply(self, img: np.ndarray, group_element: str, **params: Any) -> np.ndarray:
        """Turn and mirror `(H, W, 3)`, or a mask `(H, W)`."""
        if img.ndim == 3 and img.shape[2] != 3:
            return super().apply(img, group_element, **params)
        return TO_CV2[group_element](img)


def seed_transform(transform: Any, seed: int, epoch: int, index: int) -> None:
    """Make the next call's random draws a pure function of (seed, epoch, index).

    albumentations keeps its random state in the transform, where forked workers all start from the
    same copy of it. Here every sample starts from a state of its own, so that neither the number
    of workers nor a resume changes a picture. A counter-based generator (Philox; Salmon et al.,
    "Parallel random numbers: as easy as 1, 2, 3", 2011) makes the jump a few microseconds.

    Args:
        transform: of albumentations; a plain function has no state and is left alone.
        seed, epoch, index: taken modulo 2**64.
    """
    if not hasattr(transform, "set_random_state"):
        return
    if not isinstance(transform.random_generator.bit_generator, np.random.Philox):
        generator = np.random.Generator(np.random.Philox(0))
        transform.set_random_state(generator, random.Random())  # shared by all children
    seed, epoch, index = seed & MASK, epoch & MASK, index & MASK
    transform.random_generator.bit_generator.state = {
        "bit_generator": "Philox",
        # Draws count up from the lowest word, so no two samples ever meet.
        "state": {
            "counter": np.array((0, 0, epoch, index), np.uint64),
            "key": np.array((seed, 0), np.uint64),
        },
        "buffer": np.zeros(4, np.uint64),
        "buffer_pos": 4,  # the buffer is used up: start from the counter
        "has_uint32": 0,
        "uinteger": 0,
    }
    transform.py_random.seed(seed << 128 | epoch << 64 | index)


def _walk(transforms: Sequence[Any]) -> Iterator[Any]:
    for transform in transforms:
        yield transform
        yield from _walk(getattr(transform, "transforms", ()))


def _bbox_params(min_side: float, min_visible: float) -> A.BboxParams:
    return A.BboxParams(
        format="pascal_voc",
        label_fields=[LABELS],
        min_width=min_side,
        min_height=min_side,
        min_visibility=min_visible,
        clip=True,  # float32 may end a hair outside
    )


def _resize(img_size: int | None) -> list[Any]:
    if img_size is None:
        return []
    # Area averaging, for a linear one would skip pixels when shrinking by more than two.
    return [A.Resize(img_size, img_size, interpolation=cv2.INTER_AREA)]


def _crop(img_size: int | None, smallest: float) -> list[Any]:
    if img_size is None:
        return []
    return [A.RandomResizedCrop(size=(img_size, img_size), scale=(smallest, 1.0))]


def _hole() -> Any:
    side = (0.1, 0.25)
    # What a hole hides cannot be asked for, hence IGNORE in a mask.
    return A.CoarseDropout(hole_height_range=side, hole_width_range=side, fill_mask=IGNORE, p=0.3)


def _brightness(limit: float) -> Any:
    return A.RandomBrightnessContrast(brightness_limit=limit, contrast_limit=limit, p=0.5)
