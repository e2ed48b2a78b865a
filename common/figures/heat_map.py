"""A square matrix as a picture: shaded cells, names along both sides, a bar for the shades.

Drawn here, not by matplotlib, which takes ten times as long: half of it to find its layout.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from common.figures.grid import GAP, INK, PAPER, font, shorten

COLOURS = "Blues"
TITLE, AXIS = 15, 17  # pixels, sizes of text
LARGE, MEDIUM, SMALL = 14, 12, 10  # of names and numbers
FEW = 25  # names that are written large
MANY = 100  # cells along an axis whose picture is smaller: nothing is written into it
LONGEST = 220  # pixels of a name
BAR = 30  # pixels, width of the bar
STEEP = 45  # degrees of names that would run into each other
Tick = tuple[float, str]  # place from 0 to 1, and a word


class HeatMap(NamedTuple):
    """What is drawn: K x K cells for C names, a cell for each `block` x `block` of them."""

    shades: np.ndarray  # (K, K), 0 to 1
    names: Sequence[str]  # (C,)
    title: str
    axes_names: tuple[str, str]  # below and on the left
    bar: tuple[str, Sequence[Tick]]  # what a shade means
    numbers: Sequence[Sequence[str]] = ()  # (K, K), one in each cell
    every: int = 1  # names from one that is written to the next
    block: int = 1

    @property
    def cell(self) -> int:
        """Pixels along the side of a cell: whole ones, so that all cells are alike."""
        count = len(self.shades)
        return max(1, round(min(220 + 31 * count, 960 if count <= MANY else 750) / count))

    @property
    def side(self) -> int:
        """Pixels along the side of all cells."""
        return self.cell * len(self.names) // self.block


def draw_heat_map(chart: HeatMap) -> np.ndarray:
    """Return the chart as a `(H, W, 3)` uint8 picture, as large as its words need."""
    below, beside = _names(chart)
    words, ticks = chart.bar
    marks = [_text(word, LARGE) for _, word in ticks]
    left = 2 * GAP + _height(AXIS) + max(name.width for name in beside)
    top = GAP + _height(TITLE)
    bar = left + chart.side + 3 * GAP
    edge = bar + BAR + 2 * GAP + max(mark.width for mark in marks)
    bottom = top + chart.side + GAP + max(name.height for name in below)
    size = max(edge + _height(LARGE), _text(chart.title, TITLE).width) + GAP
    page = Image.new("RGB", (size, bottom + _height(AXIS) + GAP), PAPER)
    page.paste(_cells(chart), (left, top))
    _paste(page, _text(chart.title, TITLE), (left + chart.side // 2, top // 2))
    _paste(page, _text(chart.axes_names[0], AXIS), (left + chart.side // 2, bottom), (0.5, 0))
    _paste(page, _text(chart.axes_names[1], AXIS, 90), (GAP, top + chart.side // 2), (0, 0.5))
    for place, (under, aside) in enumerate(zip(below, beside, strict=True)):
        at = round((place * chart.every + 0.5) * chart.cell / chart.block)
        steep = under.height > _height(AXIS)  # its end, not its middle, is at the cell
        end = (left + at + 6 if steep else left + at, top + chart.side + GAP // 2)
        _paste(page, under, end, (1, 0) if steep else (0.5, 0))
        _paste(page, aside, (left - GAP // 2, top + at), (1, 0.5))
    low, high = top + chart.side * 9 // 10, top + chart.side // 10
    _draw_bar(page, (bar, high, low), [place for place, _ in ticks], marks)
    _paste(page, _text(words, LARGE, 90), (edge, (high + low) // 2), (0, 0.5))
    return np.asarray(page)


def _names(chart: HeatMap) -> tuple[list[Image.Image], list[Image.Image]]:
    """Return the names to be written below, steep where they need more room, and on the left."""
    size = LARGE if len(chart.names) <= FEW else SMALL
    lines = (" ".join(str(name).split()) for name in chart.names[:: chart.every])
    names = [shorten(line, LONGEST, size) for line in lines]
    beside = [_text(name, size) for name in names]
    room = chart.cell * chart.every / chart.block - 4
    angle = STEEP if max(name.width for name in beside) > room else 0
    return [_text(name, size, angle) for name in names], beside


def _cells(chart: HeatMap) -> Image.Image:
    colours = matplotlib.colormaps[COLOURS](chart.shades)[..., :3]
    pixels = (colours * 255).round().astype(np.uint8)
    pixels = pixels.repeat(chart.cell, 0).repeat(chart.cell, 1)
    picture = Image.fromarray(pixels[: chart.side, : chart.side])
    dark = colours @ np.array([0.2126, 0.7152, 0.0722]) < 0.5
    longest = max((number for line in chart.numbers for number in line), key=len, default="")
    fitting = [size for size in (LARGE, MEDIUM) if font(size).getlength(longest) < chart.cell - 4]
    size = max(fitting, default=SMALL)
    for row, line in enumerate(chart.numbers):
        for column, number in enumerate(line):
            middle = tuple(round((place + 0.5) * chart.cell) for place in (column, row))
            ink = PAPER if dark[row, column] else INK
            _paste(picture, _text(number, size), middle, (0.5, 0.5), ink)
    return picture


def _draw_bar(
    page: Image.Image,
    box: tuple[int, int, int],
    places: Sequence[float],
    marks: Sequence[Image.Image],
) -> None:
    left, top, bottom = box
    shades = matplotlib.colormaps[COLOURS](np.linspace(1, 0, bottom - top), bytes=True)[:, None, :3]
    page.paste(Image.fromarray(shades.repeat(BAR, 1)), (left, top))
    draw = ImageDraw.Draw(page)
    draw.rectangle((left, top, left + BAR, bottom), outline=INK)
    for place, mark in zip(places, marks, strict=True):
        height = round(bottom + (top - bottom) * place)
        draw.line((left + BAR, height, left + BAR + 4, height), fill=INK)
        _paste(page, mark, (left + BAR + GAP, height), (0, 0.5))


def _height(size: int) -> int:
    return sum(font(size).getmetrics())


@lru_cache(maxsize=1024)
def _text(text: str, size: int, angle: int = 0) -> Image.Image:
    """Return words as a mask, one line high; the numbers of a matrix are often the same."""
    mask = Image.new("L", (int(font(size).getlength(text)) + 1, _height(size)))
    ImageDraw.Draw(mask).text((0, 0), text, fill=255, font=font(size))
    return mask.rotate(angle, Image.Resampling.BICUBIC, expand=True) if angle else mask


def _paste(
    page: Image.Image,
    mask: Image.Image,
    at: tuple[int, ...],
    anchor: tuple[float, float] = (0.5, 0.5),
    ink: tuple[int, int, int] = INK,
) -> None:
    """Write words such that their `anchor`, from (0, 0) top left to (1, 1), is at a place."""
    corner = round(at[0] - anchor[0] * mask.width), round(at[1] - anchor[1] * mask.height)
    page.paste(ink, corner, mask)
