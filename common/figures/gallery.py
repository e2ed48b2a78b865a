"""Galleries: sections of titled pictures under headings, such as the worst above the best."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from common.errors import KitError
from common.figures.grid import GAP, INK, MIN_CELL, PAPER, TITLE_SIZE, font, sample_grid, thumbnail

HEADING = 16  # pixels
WIDTH = 1080  # pixels that a gallery should not exceed
MAX_COLUMNS = 4


class Section(NamedTuple):
    """Pictures `(H, W, 3)` uint8 that belong together, each with its title."""

    heading: str
    images: Sequence[np.ndarray]
    titles: Sequence[str]


def gallery(sections: Sequence[Section], side: int, legend: str = "") -> np.ndarray:
    """Lay out sections one above the other in one `(H, W, 3)` picture; empty ones are left out.

    Args:
        side: pixels, longer side of the pictures.
        legend: what colours and numbers mean, above it all.
    """
    filled = [section for section in sections if len(section.images)]
    if not filled:
        raise KitError("expected pictures, got none; leave an empty gallery out")
    small = [[thumbnail(image, side) for image in section.images] for section in filled]
    widest = max(MIN_CELL, *(image.shape[1] for images in small for image in images))
    columns = max(1, min(MAX_COLUMNS, WIDTH // (widest + GAP)))
    grids = [
        sample_grid(images, section.titles, columns)
        for section, images in zip(filled, small, strict=True)
    ]
    headings = [section.heading for section in filled]
    widths = [font(HEADING).getlength(heading) + 2 * GAP for heading in headings]
    widths.append(font().getlength(legend) + 2 * GAP)
    width = int(max(*widths, *(grid.shape[1] for grid in grids), 0))
    parts = [_line(legend, width, TITLE_SIZE)] if legend else []
    parts += [
        part
        for heading, grid in zip(headings, grids, strict=True)
        for part in (_line(heading, width, HEADING), _widen(grid, width))
    ]
    return np.concatenate(parts)


def _line(text: str, width: int, size: int) -> np.ndarray:
    picture = Image.new("RGB", (width, size + GAP), PAPER)
    ImageDraw.Draw(picture).text((GAP, GAP // 2), text, fill=INK, font=font(size))
    return np.asarray(picture)


def _widen(grid: np.ndarray, width: int) -> np.ndarray:
    page = np.full((grid.shape[0], width, 3), PAPER, np.uint8)
    page[:, : grid.shape[1]] = grid
    return page
