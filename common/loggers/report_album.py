"""Pictures as a page holds them, ever smaller until the page fits."""

import base64
import io
from typing import NamedTuple

from matplotlib.figure import Figure
from PIL import Image

from common.figures.encode import encode_png, figure_to_image

COLOURS = 128  # of a drawn figure: a third of the bytes, no visible loss


class Level(NamedTuple):
    """How much a page shows, and how finely."""

    earlier: int  # states of earlier epochs of each picture
    cards: int  # samples of each table
    side: int  # pixels, the longer side of a photo
    quality: int  # of its JPEG


LEVELS = (
    Level(8, 48, 2048, 90),
    Level(5, 32, 768, 80),
    Level(3, 20, 512, 72),
    Level(1, 12, 384, 64),
    Level(0, 8, 256, 50),
)


class Album:
    """Turns picture files into URIs that hold them, and counts what they weigh.

    There is `room` for so many bytes, of which every look gets its share; a picture beyond it is
    refused: `uri` returns "".
    """

    def __init__(self, level: Level, room: float = float("inf")) -> None:
        self.level, self.room, self.share = level, room, room
        self.refused = 0

    def share_out(self, left: int) -> None:
        """Give the next of so many looks that are left its share of the room."""
        self.share = self.room / left

    def uri(self, data: bytes, suffix: str) -> str:
        """Return the bytes of a picture file (`.png` of figures, `.jpg` of photos) as a URI."""
        kind, data = self._figure(data) if suffix == ".png" else ("jpeg", self._photo(data))
        uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
        if len(uri) > self.share:
            self.refused += 1
            return ""
        self.room -= len(uri)
        self.share -= len(uri)
        return uri

    def _figure(self, data: bytes) -> tuple[str, bytes]:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        smaller = _saved(image.quantize(COLOURS, dither=Image.Dither.NONE), "PNG", optimize=True)
        if self.level == LEVELS[0]:
            return "png", smaller
        # A figure of many colours, such as one with photos in it, is smaller as a photo.
        photo = _saved(image, "JPEG", quality=self.level.quality)
        return ("jpeg", photo) if 2 * len(photo) < len(smaller) else ("png", smaller)

    def _photo(self, data: bytes) -> bytes:
        if self.level == LEVELS[0]:
            return data
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image.thumbnail((self.level.side, self.level.side))
        return min(data, _saved(image, "JPEG", quality=self.level.quality), key=len)


def fine_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, fine enough for a phone's screen."""
    figure.set_dpi(160)
    return encode_png(figure_to_image(figure))


def _saved(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
