"""Demo data in the competition's layout: towns drawn from above, 0.3 m per pixel.

Every city has a style of its own: streets on a grid or winding, roofs, trees, density, the sun.
Some roofs have the colour of the ground or lie half under trees, and car parks, containers, courts
and hedges look somewhat like roofs. Pictures are 600 x 600 pixels (the competition's: 5000 x 5000).
"""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ROWSPERSTRIP, ImageFileDirectory_v2

from competitions.inria_segmentation.data import IMAGES, MASKS, SUFFIX
from competitions.inria_segmentation.data import TEST as TEST_IMAGES
from competitions.inria_segmentation.drawing.picture import draw_town
from competitions.inria_segmentation.drawing.styles import TEST, TRAIN, Style

SIZE = 600  # pixels, height and width of the demo's pictures
NUMBERS = (1, 3, 8, 16, 23, 31)  # of every training city: two validate, one for each further fold
TEST_NUMBERS = (1,)
STRIP_ROWS = 8  # rows of pixels that a TIFF keeps together
PIXEL = 0.3  # metres
SHORT, DOUBLE = 3, 12  # TIFF types
# Version 1.1.0, then (key, place, count, value): projected, a pixel is an area, UTM zone 33 north.
GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)


def write_demo(
    data_dir: Path,
    seed: int = 0,
    size: int = SIZE,
    numbers: tuple[int, ...] = NUMBERS,
) -> None:
    """Write train/images, train/gt and test/images.

    Args:
        data_dir: made if it is not there.
        seed: the same seed writes the same bytes.
        size: pixels, height and width of every picture.
        numbers: which pictures of every training city.
    """
    for folder in (IMAGES, MASKS, TEST_IMAGES):
        (data_dir / folder).mkdir(parents=True, exist_ok=True)
    for city, style in TRAIN.items():
        for number in numbers:
            name = f"{city}{number}{SUFFIX}"
            image, building = _draw(name, style, size, seed)
            write_tiff(data_dir / IMAGES / name, image, number)
            write_tiff(data_dir / MASKS / name, building.astype(np.uint8) * 255, number)
    for city, style in TEST.items():
        for number in TEST_NUMBERS:
            name = f"{city}{number}{SUFFIX}"
            write_tiff(data_dir / TEST_IMAGES / name, _draw(name, style, size, seed)[0], number)


def _draw(name: str, style: Style, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a picture by its name, so that it does not depend on which others are drawn."""
    return draw_town(style, size, np.random.default_rng([seed, zlib.crc32(name.encode())]))


def write_tiff(path: Path, pixels: np.ndarray, number: int) -> None:
    """Write uint8 pixels as an uncompressed GeoTIFF in strips; `number` says which square it is."""
    tags = ImageFileDirectory_v2()
    tags[ROWSPERSTRIP] = STRIP_ROWS
    row, column = divmod(number - 1, 6)
    corner = (500_000 + column * 5000 * PIXEL, 5_300_000 - row * 5000 * PIXEL)
    for tag, kind, values in (
        (33550, DOUBLE, (PIXEL, PIXEL, 0.0)),  # size of a pixel
        (33922, DOUBLE, (0.0, 0.0, 0.0, *corner, 0.0)),  # pixel (0, 0) lies there
        (34735, SHORT, GEO_KEYS),
    ):
        tags.tagtype[tag] = kind
        tags[tag] = values
    Image.fromarray(pixels).save(path, "TIFF", tiffinfo=tags)
