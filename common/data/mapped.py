"""Pixels of a file that are read where they are touched, without decoding the whole.

Uncompressed striped TIFF, as most aerial images are, is mapped into memory as it lies on disk.
What is large and compressed is decoded once into an uncompressed copy, which is mapped. Small
pictures are decoded.
"""

import hashlib
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from common.data.image import FilePath, image_size, read_image
from common.data.partial import partial
from common.data.stored import member_of, open_stored, state_of
from common.errors import KitError

LARGE = 2048 * 2048  # pixels from which a copy is worth its room on disk
Decode = Callable[[FilePath], np.ndarray]


def open_picture(path: FilePath, folder: Path | None = None) -> np.ndarray:
    """Return `(H, W, 3)` or grey `(H, W)` uint8, of which is read what is touched, if possible."""
    return open_pixels(path, read_image, folder)


def open_pixels(path: FilePath, decode: Decode, folder: Path | None = None) -> np.ndarray:
    """Return the pixels of a file, read-only: mapped as they lie, from a copy, or decoded.

    Args:
        path: of the file.
        decode: reads a file whose pixels do not lie there as they are.
        folder: see `read_window`.
    """
    try:
        state = state_of(path)
    except OSError:
        return decode(path)  # says what is wrong
    key = (os.fspath(path), *state)
    if layout := _layout(*key):
        offset, shape = layout
        member = member_of(path)
        if member:
            return np.memmap(member.shard, np.uint8, "r", member.offset + offset, shape)
        return np.memmap(path, np.uint8, "r", offset, shape)
    if folder is not None and _is_large(*key):
        copy = _copy(key, decode, Path(folder))
        if copy is not None:
            return copy
    return _decoded(*key, decode)


@lru_cache(maxsize=65536)
def _layout(path: str, size: int, _: int) -> tuple[int, tuple[int, ...]] | None:
    """Return offset and shape of the pixels of an uncompressed striped 8-bit TIFF, else None."""
    if not path.lower().endswith((".tif", ".tiff")):
        return None
    try:
        with Image.open(open_stored(path)) as image:
            tags = dict(getattr(image, "tag_v2", {}))
    except Exception:  # whatever is wrong, the decoder says it better
        return None
    height, width, channels = tags.get(257, 0), tags.get(256, 0), tags.get(277, 1)
    offsets, lengths = tags.get(273, ()), tags.get(279, ())
    plain = (
        tags.get(259, 1) == 1  # no compression
        and set(tags.get(258, (1,))) == {8}
        and (channels, tags.get(262)) in ((1, 1), (3, 2))  # grey, 0 is black; RGB
        and (channels == 1 or tags.get(284, 1) == 1)  # RGBRGB, not RR GG BB
        and tags.get(274, 1) == 1  # not turned
    )
    if not plain or len(offsets) == 0 or len(offsets) != len(lengths):
        return None
    ends = np.add(offsets, lengths)
    if (ends[:-1] != offsets[1:]).any() or ends[-1] - offsets[0] != height * width * channels:
        return None
    if ends[-1] > size:
        raise KitError(f"expected an image at '{path}', got a truncated TIFF; replace the file")
    return int(offsets[0]), (height, width) if channels == 1 else (height, width, channels)


@lru_cache(maxsize=65536)
def _is_large(path: str, _: int, __: int) -> bool:
    height, width = image_size(path)
    return height * width > LARGE


@lru_cache(maxsize=1)
def _decoded(path: str, _: int, __: int, decode: Decode) -> np.ndarray:
    """Return the whole picture; the last one is kept, for windows often come one after another."""
    pixels = decode(path)
    pixels.flags.writeable = False
    return pixels


def _copy(key: tuple[str, int, int], decode: Decode, folder: Path) -> np.ndarray | None:
    """Return the mapped copy of a picture, made if it is not there; None if the disk is full."""
    text = "|".join(map(str, (os.path.abspath(key[0]), *key[1:], decode.__name__)))  # noqa: PTH100
    file = folder / f"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.npy"
    try:
        return np.load(file, mmap_mode="r")
    except (OSError, ValueError):  # not there yet, or cut off by a crash
        pixels = decode(key[0])
    temporary = partial(file)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as target:
            np.save(target, pixels)
        temporary.replace(file)
        return np.load(file, mmap_mode="r")
    except OSError as error:
        with suppress(OSError):  # if the folder cannot be reached there is nothing to remove
            temporary.unlink(missing_ok=True)
        warnings.warn(
            f"cannot write a copy into '{folder}': {error.strerror}; reading goes on without it, "
            "more slowly",
            stacklevel=2,
        )
        return None
