"""Masks from files or run-length code to classes, with every doubt an error.

A mask file has one channel (or equal ones): 0 and 255, 0 and 1, or the class of each pixel; of a
palette the indices count, not the colours.
"""

import math
from collections.abc import Iterable
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
from PIL import Image

from common.config import Config
from common.data.image import FilePath, image_size
from common.data.mapped import open_pixels
from common.data.rle import decode
from common.data.stored import read_stored
from common.data.windows import Window, inside, pad_mask
from common.errors import KitError
from common.keys import IGNORE

REMEDY = "mend the mask or leave its row out in competitions/<name>/data.py"


def read_mask(
    text: Any,
    height: int,
    width: int,
    num_classes: int = 1,
    window: Window | None = None,
    folder: Path | None = None,
    ignore: int | None = None,
) -> np.ndarray:
    """Return a mask, or a window of it, as `(h, w)` uint8; IGNORE where nothing is known.

    Nothing is known beyond the picture's border, and where a file holds `ignore`.

    Args:
        text: path of a file, or run-length code down the columns from 1; empty, None or NaN is a
            mask without foreground.
        height, width: of the image.
        num_classes: 1: foreground is 1, written as 1 or 255. More: the classes 0 to
            `num_classes` - 1.
        window: None: the whole.
        folder: where uncompressed copies of large compressed masks go.
        ignore: see `ignored_value`.

    Raises:
        KitError: another size than the image's, an unknown value, a file that cannot be read.
    """
    if is_code(text):
        mask = decode(code_text(text), (height, width))
    else:
        mask = open_pixels(text, read_mask_file, folder)
    if mask.shape[:2] != (height, width):
        _refuse_size(text, (height, width), mask.shape[:2])
    part, beyond = inside(mask, window or Window(0, 0, height, width))
    return pad_mask(_classes(_one_channel(part, text), num_classes, text, ignore), beyond)


def ignored_value(config: Config) -> int | None:
    """Return the value of mask files that counts nowhere; None: there is none.

    Raises:
        KitError: it is a class as well.
    """
    count, ignore = len(config.classes), config.data.ignore
    if ignore is None:
        ignore = None if count == 1 else IGNORE
    if ignore is not None and ignore < max(count, 2):
        raise KitError(
            f"expected data.ignore that is no class, got {ignore}, and masks hold the classes 0 to "
            f"{max(count, 2) - 1}; give the files another value where nothing is known, such as "
            f"{IGNORE}"
        )
    return ignore


def read_mask_file(path: FilePath) -> np.ndarray:
    """Return the values of a mask file as `(H, W)` uint8; a palette's indices."""
    try:
        data = read_stored(path)
        with Image.open(BytesIO(data)) as image:
            values = np.array(image)
    except KitError:  # of a shard, which is a ValueError as well
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise KitError(f"expected a mask in '{path}', got: {error}; {REMEDY}") from None
    values = _one_channel(values, path)
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    if values.dtype.kind not in "ui" or values.min(initial=0) < 0 or values.max(initial=0) > 255:
        raise KitError(
            f"expected values from 0 to 255 in the mask '{path}', got {values.dtype} "
            f"{values.min()}..{values.max()}; {REMEDY}"
        )
    return values.astype(np.uint8)


def is_code(text: Any) -> bool:
    """Say whether a mask is given as run-length code (or is empty) rather than as a path."""
    return not code_text(text).encode().translate(None, b"0123456789 ")


def code_text(text: Any) -> str:
    """Return the text of a cell; None and NaN, as pandas reads empty cells, are empty."""
    return "" if text is None or (isinstance(text, float) and math.isnan(text)) else str(text)


def check_mask_size(text: str, height: int, width: int) -> None:
    """Raise KitError unless a mask file has its image's size, from the header; codes pass."""
    if not is_code(text) and (size := image_size(text)) != (height, width):
        _refuse_size(text, (height, width), size)


def _refuse_size(text: Any, expected: tuple[int, ...], got: tuple[int, ...]) -> NoReturn:
    raise KitError(
        f"expected a mask of its image's size, {expected[0]} x {expected[1]} (height x width), in "
        f"'{text}', got {got[0]} x {got[1]}; {REMEDY}"
    )


def _one_channel(values: np.ndarray, text: Any) -> np.ndarray:
    """Return `(H, W)` of a mask that was saved as a grey picture with more channels."""
    if values.ndim == 2:
        return values
    colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]  # without alpha
    if (colours != colours[..., :1]).any():
        raise KitError(f"expected a mask of one channel in '{text}', got colours; {REMEDY}")
    return np.ascontiguousarray(values[..., 0])


def _classes(part: np.ndarray, num_classes: int, text: Any, ignore: int | None) -> np.ndarray:
    """Return `(h, w)` uint8 classes of a mask's values, IGNORE where they are `ignore`."""
    if ignore is None and num_classes > 1:
        ignore = IGNORE
    found = np.flatnonzero(cv2.calcHist([part], [0], None, [256], [0, 256]))
    found = found[found != ignore] if ignore is not None else found
    unknown = "" if ignore is None else f", or {ignore} where nothing is known"
    if num_classes == 1:
        if not any(np.isin(found, (0, top)).all() for top in (1, 255)):
            _refuse_values(text, found, f"0 and 1, or 0 and 255, for one class{unknown}")
        classes = (part != 0).view(np.uint8)
    else:
        if not (known := found < num_classes).all():
            _refuse_values(text, found[~known], f"0 to {num_classes - 1}{unknown}")
        classes = part
    if ignore is None or (num_classes > 1 and ignore == IGNORE):
        return classes
    return np.where(part == ignore, np.uint8(IGNORE), classes)


def _refuse_values(text: Any, found: np.ndarray, expected: str) -> NoReturn:
    shown = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
    raise KitError(
        f"expected values {expected}, in the mask '{text}', got {shown}; {REMEDY}, or name the "
        "value of pixels that count nowhere: data.ignore"
    )


def refuse_black_and_white(
    texts: Iterable[str], num_classes: int, first: int = 8, ignore: int | None = None
) -> None:
    """Raise KitError if masks for several classes are of 0 and 255, which would mean unknown."""
    if num_classes == 1 or ignore not in (None, IGNORE):
        return
    files = list(islice((text for text in texts if not is_code(text)), first))
    values = set[int]().union(*(np.unique(read_mask_file(file)).tolist() for file in files))
    if values == {0, IGNORE}:
        raise KitError(
            f"expected masks of classes 0 to {num_classes - 1}, got only 0 and {IGNORE} in "
            f"'{files[0]}' and others, where {IGNORE} means unknown; name one class only in "
            "competitions/<name>/config.py"
        )
