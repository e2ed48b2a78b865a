"""Resized copies on disk, for when decoding large originals every epoch is the bottleneck."""

import hashlib
import os
import warnings
from pathlib import Path

import cv2
import numpy as np

from common.data.image import FilePath, read_image
from common.data.partial import partial
from common.data.stored import state_of
from common.errors import KitError

# Measured on grainy photographs: quality 95 with 4:4:4 is nearer to the picture (1.5 of 255 against
# 2.6 on average) but takes twice as long to decode, and that time is what the cache is for.
ENCODING = (
    cv2.IMWRITE_JPEG_QUALITY,
    90,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
)

COUNT = "bytes.txt"  # in the folder, where there is a limit: what has been reserved


class ResizedCache:
    """Reads images through JPEG copies (quality 90, 4:2:0) whose short side is `min_side`.

    The first read makes the copy, and returns what later reads return. Nothing is enlarged. A copy
    belongs to one state of its original (path, size, time of change); a broken copy is made again.
    Safe with many workers: copies appear whole or not at all. If the disk is full, one warning,
    and reading goes on without new copies. Not for tasks whose signal a lossy step destroys.

    Args:
        folder: where the copies go; made when needed. In /dev/shm they lie in memory, once for all
            workers.
        min_side: pixels of the short side.
        limit: bytes of all copies, beyond which no new one is kept; 0 = none. An image without a
            copy is read as if it had one.
    """

    def __init__(self, folder: Path, min_side: int, limit: float = 0) -> None:
        self.folder, self.min_side, self.limit = Path(folder), min_side, limit
        self._full = False

    def __call__(self, path: FilePath, min_side: int = 0) -> np.ndarray:
        """Read an image as `(H, W, 3)` uint8 RGB; `min_side` as in `read_image`.

        Raises:
            KitError: what `read_image` says of the original.
        """
        copy = self.file(path)
        if copy:
            try:
                return read_image(copy, min_side)
            except KitError:
                pass  # not there yet, or cut off by a crash: made below
        return self._make(path, copy, min_side)

    def file(self, path: FilePath) -> str:
        """Return where the copy of an image lies or will lie; "" if there is no original."""
        try:
            size, changed = state_of(path)
        except OSError:
            return ""
        whole = os.path.abspath(path)  # noqa: PTH100, pathlib takes twice the time
        text = f"{whole}|{size}|{changed}|{self.min_side}"
        key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return f"{self.folder}/{key[:2]}/{key[2:]}.jpg"

    def _make(self, path: FilePath, copy: str, min_side: int) -> np.ndarray:
        image = shrink(read_image(path), self.min_side)
        _, code = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), ENCODING)
        if copy and self._has_room(len(code)) and self._write(Path(copy), code.tobytes()):
            return read_image(copy, min_side)
        return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR_RGB))

    def _has_room(self, size: int) -> bool:
        if self._full:
            return False
        try:
            return not self.limit or _reserve(self.folder, size, self.limit)
        except OSError:
            return True  # writing will say what is wrong

    def _write(self, copy: Path, data: bytes) -> bool:
        temporary = partial(copy)
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(copy)
        except OSError as error:
            self._full = True
            warnings.warn(
                f"cannot write the image cache '{self.folder}': {error.strerror}; reading goes on "
                "without it, more slowly",
                stacklevel=2,
            )
            _remove(temporary)
            return False
        return True


def shrink(image: np.ndarray, min_side: int) -> np.ndarray:
    """Return `(H, W, 3)` averaged down to a short side of `min_side`, or as it is if smaller."""
    height, width = image.shape[:2]
    if min(height, width) <= min_side:
        return image
    scale = min_side / min(height, width)
    size = (max(round(width * scale), min_side), max(round(height * scale), min_side))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _reserve(folder: Path, size: int, limit: float) -> bool:
    """Count so many bytes more in a folder, by all processes that fill it; False: too many."""
    import fcntl  # not on Windows, where only this limit lacks

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / COUNT).open("a+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        file.seek(0)
        known = file.read() or sum(copy.stat().st_size for copy in folder.rglob("*.jpg"))
        held = int(known) + size
        if held <= limit:
            file.truncate(0)
            file.write(str(held))
        return held <= limit


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder itself cannot be reached: then there is nothing to remove
        return
