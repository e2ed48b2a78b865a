"""Views of a picture (turned, mirrored, resized), and the exact way back for what was predicted.

Sizes are `(width, height)`.
"""

from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from common.config import PredictConfig
from common.data.boxes import as_boxes
from common.inference.crops import CROPS, FIVE_CROP, Crop

MULTIPLE = 32  # what sides are rounded to where a scale changes them; every network takes it
Size = tuple[int, int]


class View(NamedTuple):
    """One of the 8 ways to lay a square upon itself: transposed first, then mirrored."""

    transpose: bool
    flip_x: bool  # left and right change places
    flip_y: bool  # top and bottom change places

    def image(self, images: Tensor) -> Tensor:
        """Return `(..., H, W)` images as the view shows them; `(..., W, H)` if it transposes."""
        turned = images.transpose(-2, -1) if self.transpose else images
        axes = [axis for axis, flip in ((-1, self.flip_x), (-2, self.flip_y)) if flip]
        return turned.flip(axes) if axes else turned

    def inverse_image(self, images: Tensor) -> Tensor:
        """Undo `image`."""
        axes = [axis for axis, flip in ((-1, self.flip_x), (-2, self.flip_y)) if flip]
        turned = images.flip(axes) if axes else images
        return turned.transpose(-2, -1) if self.transpose else turned

    def boxes(self, boxes: ArrayLike, size: Size) -> np.ndarray:
        """Return `(K, 4)` boxes of an image of `size` as they lie in the view."""
        boxes = as_boxes(boxes)
        if self.transpose:
            boxes = boxes[:, [1, 0, 3, 2]]
        return flip_boxes(boxes, self.size(size), self.flip_x, self.flip_y)

    def inverse_boxes(self, boxes: ArrayLike, size: Size) -> np.ndarray:
        """Undo `boxes`: from the view to the image, whose `size` it is."""
        boxes = flip_boxes(boxes, self.size(size), self.flip_x, self.flip_y)
        return boxes[:, [1, 0, 3, 2]] if self.transpose else boxes

    def size(self, size: Size) -> Size:
        """Return the view's size."""
        return size[::-1] if self.transpose else size


# The dihedral group, by the names that albumentations' D4 gives its elements.
VIEWS: dict[str, View] = {
    "e": View(False, False, False),
    "h": View(False, True, False),
    "v": View(False, False, True),
    "r180": View(False, True, True),
    "t": View(True, False, False),
    "r90": View(True, False, True),  # counter-clockwise
    "r270": View(True, True, False),
    "hvt": View(True, True, True),
}
TTA: dict[str, tuple[str, ...]] = {  # names of `predict.tta`; the first few of d4 are the others
    "none": ("e",),
    "flip": ("e", "h"),
    "mirrors": ("e", "h", "v", "r180"),
    "d4": tuple(VIEWS),
}


class Pass(NamedTuple):
    """One look of a network at a picture: cropped first, resized, then turned and mirrored.

    A view that transposes gives the network `(W, H)`, which suits all that take any size, as
    convolutions do; the squares of `data.img_size` stay squares.
    """

    view: View = VIEWS["e"]
    scale: float = 1.0  # of the picture the network was trained on
    crop: Crop | None = None  # of a picture read larger; there is no way back

    def image(self, images: Tensor) -> Tensor:
        """Return `(N, C, H, W)` as the network gets it: float where resized, else as it is."""
        images = self.cut(images)
        return self.view.image(resize(images, self.size(_size(images)))).contiguous()

    def cut(self, images: Tensor) -> Tensor:
        """Return `(N, C, H, W)` at the size that the network was trained on."""
        return images if self.crop is None else self.crop.image(images)

    def inverse_image(self, values: Tensor, size: Size) -> Tensor:
        """Undo `image` for logits `(N, C, H, W)`; `size` is that of the picture."""
        return resize(self.view.inverse_image(values), size)

    def inverse_boxes(self, boxes: ArrayLike, size: Size) -> np.ndarray:
        """Return `(K, 4)` boxes of the pass in pixels of the picture, whose `size` it is."""
        seen = self.size(size)
        boxes = self.view.inverse_boxes(boxes, seen)
        if seen == size:
            return boxes
        return boxes * np.array((size[0] / seen[0], size[1] / seen[1]) * 2, boxes.dtype)

    def size(self, size: Size) -> Size:
        """Return what a picture's size is resized to, before it is turned."""
        width, height = (scaled(side, self.scale) for side in size)
        return width, height


def passes_of(options: PredictConfig) -> tuple[Pass, ...]:
    """Return all passes, the views of the first scale first; at least a plain one."""
    if options.tta == FIVE_CROP:
        return tuple(Pass(scale=s, crop=crop) for s in options.scales for crop in CROPS)
    return tuple(Pass(VIEWS[name], scale) for scale in options.scales for name in TTA[options.tta])


def scaled(side: int, scale: float) -> int:
    """Return pixels of a resized side; scale 1 changes nothing."""
    return side if scale == 1 else max(round(side * scale / MULTIPLE), 1) * MULTIPLE


def resize(images: Tensor, size: Size) -> Tensor:
    """Return `(N, C, H, W)` at a size, averaged where it shrinks; as it is if it has that size."""
    if _size(images) == size:
        return images
    shape = (size[1], size[0])
    return F.interpolate(images.float(), shape, mode="bilinear", antialias=True)


def flip_boxes(
    boxes: ArrayLike, size: Size, flip_x: bool = False, flip_y: bool = False
) -> np.ndarray:
    """Return `(K, 4)` boxes of a mirrored picture; its own inverse."""
    boxes = as_boxes(boxes).copy()
    if flip_x:
        boxes[:, [0, 2]] = size[0] - boxes[:, [2, 0]]
    if flip_y:
        boxes[:, [1, 3]] = size[1] - boxes[:, [3, 1]]
    return boxes


def _size(images: Tensor) -> Size:
    return images.shape[-1], images.shape[-2]
