"""Five crops of a picture that is read larger: the centre and the corners, at the trained size.

As in Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012).
The picture is read at 8/7 of the size, as 224 pixels are cut from 256; each crop lacks a share of
it, so that this is for classes alone: a mask or box at the border is in few crops, or cut.
"""

from typing import NamedTuple

from torch import Tensor

from common.config import Config, PredictConfig
from common.errors import KitError

FIVE_CROP = "five_crop"  # name among predict.tta


class Crop(NamedTuple):
    """Where a crop lies: 0 at the left or top, 1 at the right or bottom."""

    x: float
    y: float

    def image(self, images: Tensor) -> Tensor:
        """Return `(..., H', W')` of `(..., H, W)`; see `cropped`."""
        height, width = cropped(images.shape[-2]), cropped(images.shape[-1])
        top = round(self.y * (images.shape[-2] - height))
        left = round(self.x * (images.shape[-1] - width))
        return images[..., top : top + height, left : left + width]


# The centre comes first: it is what is left where time runs out.
CROPS = (Crop(0.5, 0.5), Crop(0, 0), Crop(1, 0), Crop(0, 1), Crop(1, 1))


def enlarged(side: int) -> int:
    """Return pixels of a side read larger, about 8/7: 256 for 224."""
    return side + 2 * round(side / 14)


def cropped(side: int) -> int:
    """Undo `enlarged`, exactly."""
    return side - 2 * round(side / 16)


def read_for(config: Config, options: PredictConfig) -> Config:
    """Return the config by which pictures are read: larger if they are cropped.

    Raises:
        KitError: pictures are of no one size.
    """
    if options.tta != FIVE_CROP:
        return config
    if config.data.img_size is None:
        raise KitError(
            f"expected data.img_size for predict.tta={FIVE_CROP}, got None, which keeps every "
            "pixel; take flip, mirrors or d4"
        )
    return config.model_copy(update={"data.img_size": enlarged(config.data.img_size)})


def refuse_crops(options: PredictConfig, what: str) -> None:
    """Raise KitError if options ask for crops of pictures with masks or boxes."""
    if options.tta == FIVE_CROP:
        raise KitError(
            f"expected predict.tta of none, flip, mirrors or d4 for {what}, got {FIVE_CROP}, which "
            "cuts objects off; it is for classes alone"
        )
