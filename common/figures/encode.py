"""Figures as pixels, pixels as the bytes of a file; all RGB uint8."""

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common.errors import KitError
from common.figures.grid import check_image


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
    return _encode(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 3])


def _encode(image: np.ndarray, suffix: str, options: list[int]) -> bytes:
    bgr = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(suffix, bgr, options)
    if not done:
        raise KitError(f"expected an image that {suffix} can hold, got shape {image.shape}")
    return data.tobytes()
