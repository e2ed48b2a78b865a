"""Windows of a picture, read without decoding the whole.

A window of 512 x 512 is a hundredth of an aerial image: decoding all of it per sample would throw
99 % of the work away. Windows are read in place rather than from a folder of tiles cut beforehand,
since such tiles cannot be jittered: every epoch would show the same cuts.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from common.data.image import FilePath
from common.data.mapped import open_picture
from common.errors import KitError
from common.keys import IGNORE

Beyond = tuple[int, int, int, int]  # pixels beyond the top, bottom, left and right border


class Window(NamedTuple):
    """A rectangle of pixels; may reach beyond the picture."""

    top: int
    left: int
    height: int
    width: int


def window_grid(height: int, width: int, size: int) -> list[Window]:
    """Return `size` x `size` windows, row by row, that cover every pixel exactly once.

    The last of a row or column reach beyond the picture where `size` does not divide it.
    """
    return [
        Window(top, left, size, size)
        for top in range(0, height, size)
        for left in range(0, width, size)
    ]


def read_window(
    path: FilePath, top: int, left: int, height: int, width: int, folder: Path | None = None
) -> np.ndarray:
    """Return `(height, width, 3)` uint8 RGB; beyond the border the picture is reflected.

    Args:
        path: any format that `read_image` takes, with its conversions (alpha dropped, 16 bits
            divided by 257).
        top, left: pixel of the picture at the window's corner.
        height, width: pixels.
        folder: where uncompressed copies of large compressed pictures go; None: none are made.

    Raises:
        KitError: what `read_image` says of the file.
    """
    return cut(open_picture(path, folder), Window(top, left, height, width))


def cut(pixels: np.ndarray, window: Window) -> np.ndarray:
    """Return a window of a picture `(H, W, 3)` or grey `(H, W)` as `(height, width, 3)`.

    Beyond the border the picture is reflected, as often as it takes.
    """
    part, beyond = inside(pixels, window)
    if any(beyond):  # what is reflected may lie outside the window, in a picture that goes on
        rows = _reflect(window.top, window.height, pixels.shape[0])
        columns = _reflect(window.left, window.width, pixels.shape[1])
        top, left = rows.min(), columns.min()
        part = np.array(pixels[top : rows.max() + 1, left : columns.max() + 1])
        part = part[rows[:, None] - top, columns - left]
    return cv2.cvtColor(part, cv2.COLOR_GRAY2RGB) if part.ndim == 2 else part


def pad_mask(part: np.ndarray, beyond: Beyond) -> np.ndarray:
    """Return a mask's part with IGNORE around it, where its window reaches beyond the picture."""
    if not any(beyond):
        return part
    return cv2.copyMakeBorder(part, *beyond, cv2.BORDER_CONSTANT, value=IGNORE)


def inside(pixels: np.ndarray, window: Window) -> tuple[np.ndarray, Beyond]:
    """Return a copy of what of a window lies in a picture, and how far the rest reaches."""
    (top, left, height, width), (rows, columns) = window, pixels.shape[:2]
    bottom, right = min(top + height, rows), min(left + width, columns)
    part = np.array(pixels[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)], order="C")
    if not part.size:
        raise KitError(
            f"expected a window that meets the picture of {rows} x {columns} pixels, got "
            f"{height} x {width} at {top}, {left}; take it from window_grid"
        )
    return part, (max(-top, 0), top + height - bottom, max(-left, 0), left + width - right)


def _reflect(start: int, length: int, limit: int) -> np.ndarray:
    """Return `(length,)` places in 0 to limit, turned back at its ends without repeating them."""
    period = max(2 * (limit - 1), 1)
    places = np.arange(start, start + length) % period
    return np.minimum(places, period - places) if limit > 1 else np.zeros_like(places)


def window_id(image_id: str, window: Window) -> str:
    """Return the id of a window: "austin1@512,1024", its top and left pixel."""
    return f"{image_id}@{window.top},{window.left}"


def picture_of(window_id: str) -> str:
    """Return the image_id of a window's picture."""
    return window_id.rpartition("@")[0]
