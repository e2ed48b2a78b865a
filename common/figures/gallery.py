"""Galleries: sections of titled pictures under headings, such as the worst above the best."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from common.errors import KitError
from common.figures.grid import GAP, INK, MIN_CELL, TITLE_SIZE, Grid, blank, font, thumbnail

HEADING = 16  # pixels
WIDTH = 1080  # pixels that a gallery should not exceed
MAX_COLUMNS = 4


class Section(NamedTuple):
    """Pictures `(H, W, 3)` uint8 that belong together, each with its title."""

    heading: str
    images: Sequence[np.ndarray]
    titles: Sequence[str]


class Line(NamedTuple):
    """A line of words above pictures."""

    text: str
    size: int  # pixels
    top: int  # pixels from above

    @property
    def width(self) -> int:
        """Pixels that it takes, with a gap on both sides."""
        return int(font(self.size).getlength(self.text)) + 2 * GAP


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
        Grid(images, section.titles, columns) for section, images in zip(filled, small, strict=True)
    ]
    top = TITLE_SIZE + GAP if legend else 0
    lines, tops = [Line(legend, TITLE_SIZE, 0)], []
    for section, grid in zip(filled, grids, strict=True):
        lines.append(Line(section.heading, HEADING, top))
        tops.append(top + HEADING + GAP)
        top = tops[-1] + grid.height
    page = blank(top, max(*(line.width for line in lines), *(grid.width for grid in grids)))
    for grid, place in zip(grids, tops, strict=True):
        grid.paste(page, place)
    picture = Image.fromarray(page)
    draw = ImageDraw.Draw(picture)
    for line in lines:
        draw.text((GAP, line.top + GAP // 2), line.text, fill=INK, font=font(line.size))
    for grid, place in zip(grids, tops, strict=True):
        grid.write(draw, place)
    return np.asarray(picture)
