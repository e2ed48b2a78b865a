"""Heat over pictures: where something is, in warm colours, and what it is, in words below."""

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from common.figures.grid import INK, PAPER, TITLE_SIZE, check_image, enlarge, font, thumbnail

COLOURS = "inferno"  # rises in brightness, so that it can be told without colour, too
STRENGTH = 0.8  # of the colour where it is hottest


def heat_overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Colour the hot places of a picture; cold ones stay as they are.

    Args:
        image: `(H, W, 3)` uint8.
        heat: `(H, W)`, 0 or more; shown as shares of its largest.
    """
    largest = float(heat.max(initial=0))
    share = (heat / largest if largest > 0 else np.zeros_like(heat)).clip(0, 1)
    colour = matplotlib.colormaps[COLOURS](share)[..., :3] * 255
    weight = STRENGTH * share[..., None]
    return (check_image(image) * (1 - weight) + colour * weight).round().astype(np.uint8)


def captioned(image: np.ndarray, words: str, side: int) -> np.ndarray:
    """Return a picture of about `side` pixels with a line of words below it."""
    picture = thumbnail(enlarge(check_image(image)), side)
    height, width = picture.shape[:2]
    page = Image.new("RGB", (width, height + TITLE_SIZE + 6), PAPER)
    page.paste(Image.fromarray(picture))
    while words and font().getlength(words) > width:
        words = f"{words.removesuffix('…')[:-1]}…"
    ImageDraw.Draw(page).text((0, height + 2), words, fill=INK, font=font())
    return np.asarray(page)
