"""Pictures made of pictures: thumbnails, titled grids, figures as images; all RGB uint8."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import cv2
import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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


def sample_grid(
    images: Sequence[np.ndarray], titles: Sequence[str], columns: int = 4
) -> np.ndarray:
    """Lay out titled images row by row in one `(H, W, 3)` picture.

    Images may differ in size; each is centred in a cell as large as the largest. Tiny images are
    enlarged by whole factors so that their pixels stay visible. A title such as
    `id | truth -> pred (prob) | loss 1.23` is broken at its bars where it is too long.
    """
    if not images or len(images) != len(titles):
        raise KitError(
            f"expected as many titles as images and at least one, "
            f"got {len(images)} images and {len(titles)} titles"
        )
    images = [enlarge(check_image(image, f"image {i}")) for i, image in enumerate(images)]
    columns = max(1, min(columns, len(images)))
    width = max(MIN_CELL, *(image.shape[1] for image in images))
    lines = [_wrap(title, width) for title in titles]
    header = max(len(wrapped) for wrapped in lines) * (TITLE_SIZE + 4) + 4
    height = header + max(image.shape[0] for image in images)
    rows = -(-len(images) // columns)
    shape = (rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3)
    page = np.full(shape, PAPER, np.uint8)
    for i, image in enumerate(images):
        top = GAP + i // columns * (height + GAP) + header
        left = GAP + i % columns * (width + GAP) + (width - image.shape[1]) // 2
        page[top : top + image.shape[0], left : left + image.shape[1]] = image
    return _write_titles(page, lines, columns, (width, height))


def same_size(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return pictures `(H, W, 3)`, each in the middle of a sheet as large as the largest."""
    height, width = (max((image.shape[axis] for image in images), default=0) for axis in (0, 1))
    pages = []
    for image in images:
        if image.shape[:2] == (height, width):
            pages.append(image)  # itself: nothing to put around it
            continue
        page = np.full((height, width, 3), PAPER, np.uint8)
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        page[top : top + image.shape[0], left : left + image.shape[1]] = image
        pages.append(page)
    return pages


def figure_to_image(figure: Figure | np.ndarray) -> np.ndarray:
    """Draw a figure, once however often it is asked for; return `(H, W, 3)` uint8 pixels."""
    if isinstance(figure, np.ndarray):
        return check_image(figure, "figure")
    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
    if figure.stale or not hasattr(canvas, "renderer"):
        canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """Return `(H, W, 3)` uint8 RGB as the bytes of a JPEG file."""
    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(image: np.ndarray) -> bytes:
    """Return `(H, W, 3)` uint8 RGB as the bytes of a PNG file; JPEG would smear a figure's text."""
    return _encode(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])


def row_title(row: Mapping[str, Any]) -> str:
    """Return the values of a table row, pictures left out, as one line for a caption."""
    shown = {key: value for key, value in row.items() if not is_image(value)}
    return " | ".join(f"{key} {format_value(value)}" for key, value in shown.items())


def format_value(value: Any) -> str:
    """Write a value for people: four significant digits for fractions, the plain text otherwise."""
    if isinstance(value, float | np.floating):
        return f"{float(value):.4g}"
    return "" if value is None else str(value)


def _encode(image: np.ndarray, suffix: str, options: list[int]) -> bytes:
    bgr = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(suffix, bgr, options)
    if not done:
        raise KitError(f"expected an image that {suffix} can hold, got shape {image.shape}")
    return data.tobytes()


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
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _write_titles(
    page: np.ndarray, lines: Sequence[Sequence[str]], columns: int, cell: tuple[int, int]
) -> np.ndarray:
    picture = Image.fromarray(page)
    draw = ImageDraw.Draw(picture)
    width, height = cell
    for i, wrapped in enumerate(lines):
        left, top = GAP + i % columns * (width + GAP), GAP + i // columns * (height + GAP)
        for j, line in enumerate(wrapped):
            draw.text((left, top + j * (TITLE_SIZE + 4)), line, fill=INK, font=font())
    return np.asarray(picture).copy()
