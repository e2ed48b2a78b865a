"""Pictures made of pictures: thumbnails, titled grids, sheets; all RGB uint8."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.errors import KitError

MIN_CELL = 168  # pixels; below this a title of three lines no longer says anything
TITLE_SIZE = 12  # pixels
TITLE_LINES = 3
GAP = 8  # pixels between cells
INK, PAPER = (28, 30, 38), (255, 255, 255)


def check_image(image: Any, what: str = "image") -> np.ndarray:
    """Return `image` if it is `(H, W, 3)` uint8; raise KitError otherwise.

    Floats are refused rather than guessed at: a 0..1 picture stored as it is comes out black.
    """
    if not is_image(image):
        got = f"{getattr(image, 'shape', type(image).__name__)} {getattr(image, 'dtype', '')}"
        raise KitError(
            f"expected {what} as (H, W, 3) uint8 array, got {got.strip()}; "
            "denormalise it and round it to 0..255 first"
        )
    return image


def is_image(value: Any) -> TypeGuard[np.ndarray]:
    """Tell whether a value is a `(H, W, 3)` uint8 array with at least one pixel."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 3
        and value.shape[2] == 3
        and value.size > 0
    )


def thumbnail(image: np.ndarray, size: int) -> np.ndarray:
    """Shrink `(H, W, 3)` to a longer side of at most `size`; smaller images stay as they are."""
    height, width = check_image(image).shape[:2]
    scale = size / max(height, width)
    if scale >= 1:
        return image
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, target, interpolation=cv2.INTER_AREA).astype(np.uint8)


class Grid:
    """Titled pictures row by row, to be drawn onto a page that may hold more.

    Pictures may differ in size; each is centred in a cell as large as the largest. Tiny ones are
    enlarged by whole factors so that their pixels stay visible. A title such as
    `id | truth -> pred (prob) | loss 1.23` is broken at its bars where it is too long.
    """

    def __init__(self, images: Sequence[np.ndarray], titles: Sequence[str], columns: int) -> None:
        if not images or len(images) != len(titles):
            raise KitError(
                f"expected as many titles as images and at least one, "
                f"got {len(images)} images and {len(titles)} titles"
            )
        self.images = [enlarge(check_image(image, f"image {i}")) for i, image in enumerate(images)]
        self.columns = max(1, min(columns, len(images)))
        self.cell = max(MIN_CELL, *(image.shape[1] for image in self.images))
        self.lines = [_wrap(title, self.cell) for title in titles]
        self.header = max(len(wrapped) for wrapped in self.lines) * (TITLE_SIZE + 4) + 4
        self.row = self.header + max(image.shape[0] for image in self.images) + GAP
        self.height = -(-len(images) // self.columns) * self.row + GAP
        self.width = self.columns * (self.cell + GAP) + GAP

    def paste(self, page: np.ndarray, top: int = 0) -> None:
        """Put the pictures onto a `(H, W, 3)` page, `top` pixels from above."""
        for i, image in enumerate(self.images):
            row, column = self._corner(i, top)
            row, column = row + self.header, column + (self.cell - image.shape[1]) // 2
            page[row : row + image.shape[0], column : column + image.shape[1]] = image

    def write(self, draw: ImageDraw.ImageDraw, top: int = 0) -> None:
        """Write the titles onto the same page."""
        for i, wrapped in enumerate(self.lines):
            row, column = self._corner(i, top)
            for j, line in enumerate(wrapped):
                place = column, row + j * (TITLE_SIZE + 4)
                draw.text(place, line, fill=INK, font=font())

    def _corner(self, i: int, top: int) -> tuple[int, int]:
        row, column = divmod(i, self.columns)
        return top + GAP + row * self.row, GAP + column * (self.cell + GAP)


def sample_grid(
    images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 4
) -> np.ndarray:
    """Lay out titled images row by row in one `(H, W, 3)` picture, see `Grid`."""
    grid = Grid(images, titles, columns)
    page = blank(grid.height, grid.width)
    grid.paste(page)
    picture = Image.fromarray(page)
    grid.write(ImageDraw.Draw(picture))
    return np.asarray(picture)


def blank(height: int, width: int) -> np.ndarray:
    """Return a white `(H, W, 3)` page."""
    return np.full(
        (height, width, 3), PAPER[0], np.uint8
    )  # of a colour, this takes 30 times as long


def same_size(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return pictures `(H, W, 3)`, each in the middle of a sheet as large as the largest."""
    height, width = (max((image.shape[axis] for image in images), default=0) for axis in (0, 1))
    pages = []
    for image in images:
        if image.shape[:2] == (height, width):
            pages.append(image)  # itself: nothing to put around it
            continue
        page = blank(height, width)
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        page[top : top + image.shape[0], left : left + image.shape[1]] = image
        pages.append(page)
    return pages


def row_title(row: Mapping[str, Any]) -> str:
    """Return the values of a table row, pictures left out, as one line for a caption."""
    shown = {key: value for key, value in row.items() if not is_image(value)}
    return " | ".join(f"{key} {format_value(value)}" for key, value in shown.items())


def format_value(value: Any) -> str:
    """Write a value for people: four significant digits for fractions, the plain text otherwise."""
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    return "" if value is None else str(value)


def enlarge(image: np.ndarray) -> np.ndarray:
    """Repeat the pixels of a tiny picture a whole number of times, up to a cell's size."""
    factor = max(1, MIN_CELL // max(image.shape[:2]))
    return image.repeat(factor, 0).repeat(factor, 1) if factor > 1 else image


@lru_cache
def font(size: int = TITLE_SIZE) -> ImageFont.FreeTypeFont:
    """Return the font of titles, `size` pixels high."""
    # The font that matplotlib ships: on every machine, and it has arrows and accents.
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def _wrap(title: str, width: int) -> list[str]:
    lines: list[str] = []
    for part in filter(None, title.replace("\n", " | ").split(" | ")):
        joined = f"{lines[-1]} | {part}" if lines else part
        if lines and font().getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(shorten(part, width))
    if len(lines) > TITLE_LINES:
        lines = [*lines[: TITLE_LINES - 1], shorten(f"{lines[TITLE_LINES - 1]} …", width)]
    return lines


def shorten(text: str, width: int, size: int = TITLE_SIZE) -> str:
    """Return as much of a text as fits into `width` pixels, an ellipsis behind it."""
    length = font(size).getlength
    if length(text) <= width:
        return text
    cut = bisect_right(range(len(text)), float(width), key=lambda count: length(text[:count] + "…"))
    return text[: max(cut - 1, 0)] + "…"
