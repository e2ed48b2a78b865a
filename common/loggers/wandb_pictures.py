"""Pictures as W&B takes them, without its reading again what was just written."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.figures.encode import encode_jpeg

QUALITY = 75  # of the JPEG; a run's files are uploaded


def encode(image: np.ndarray) -> bytes:
    """Return `(H, W, 3)` uint8 as the JPEG that W&B is to keep."""
    return encode_jpeg(image, QUALITY)


def make_picture(wandb: Any, data: bytes, caption: str = "") -> Any:
    """Return the `wandb.Image` of an encoded picture.

    Given pixels, wandb copies and encodes them; given a file, it decodes it, and again for a list,
    to know the size. An open picture knows that, and says how it is saved.
    """
    opened: Any = Image.open(io.BytesIO(data))
    opened.save = lambda path, **_: Path(path).write_bytes(data)
    picture = wandb.Image(opened, caption=caption or None, file_type="jpg")
    picture._image = opened
    return picture
