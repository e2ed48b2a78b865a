"""Pictures as W&B takes them, without its reading again what was just written."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from common.figures.encode import encode_jpeg

QUALITY = 75  # of the JPEG; a run's files are uploaded


class Encoded(NamedTuple):
    """A picture as W&B is to keep it."""

    data: bytes  # of a JPEG file
    size: tuple[int, int]  # width and height, pixels


def encode(image: np.ndarray) -> Encoded:
    """Return `(H, W, 3)` uint8 as the JPEG that W&B is to keep."""
    return Encoded(encode_jpeg(image, QUALITY), (image.shape[1], image.shape[0]))


def make_picture(wandb: Any, encoded: Encoded, caption: str = "") -> Any:
    """Return the `wandb.Image` of an encoded picture, which wandb neither copies nor encodes."""
    stand_in: Any = stand_in_of(encoded)
    stand_in.save = lambda path, **_: Path(path).write_bytes(encoded.data)
    picture = wandb.Image(stand_in, caption=caption or None, file_type="jpg")
    picture._image = stand_in
    return picture


def stand_in_of(encoded: Encoded) -> Image.Image:
    """Return a picture of the same size, never filled; wandb decodes a file to know its size."""
    return Image.new("L", encoded.size, None)
