"""Files to pixels: one policy for every format, `(H, W, 3)` uint8 RGB as a person sees the picture.

Grey becomes three equal channels, CMYK and palettes become RGB, alpha is dropped, 16-bit values
are divided by 257 (so that 65535 is 255), EXIF orientation is applied. A file that cannot be read
whole is an error with its path; nothing is filled up with grey.
"""

import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from common.data.jpeg import JpegHeader, exif_orientation, is_jpeg, read_header
from common.data.stored import FilePath as FilePath
from common.data.stored import open_stored, read_stored
from common.errors import KitError

try:
    import simplejpeg
except ImportError:  # the Kaggle image lacks it; OpenCV gives the same pixels
    simplejpeg = None

HEADER_BYTES = 65536  # what a header without large profiles fits into
REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def read_image(path: FilePath, min_side: int = 0) -> np.ndarray:
    """Read an image as `(H, W, 3)` uint8 RGB.

    Args:
        path: any format that Pillow knows; JPEG takes the fast way.
        min_side: if positive, the JPEG decoder may scale by 1/2, 1/4 or 1/8 as long as the short
            side keeps at least so many pixels. Other formats come at full size.

    Raises:
        KitError: missing, empty, truncated or broken file, or not an image.
    """
    data = _read_bytes(path)
    if is_jpeg(data):
        try:
            header = read_header(data)
        except ValueError:
            _refuse(path, "a truncated JPEG (its header ends early)")
        if header.channels in (1, 3):
            image = _decode_jpeg(data, header, min_side, path)
            return image if header.orientation == 1 else orient(image, header.orientation)
    return _decode_other(data, path)


def image_size(path: FilePath) -> tuple[int, int]:
    """Return (height, width) after EXIF orientation, from the header, without decoding."""
    data = _read_bytes(path, HEADER_BYTES)
    if is_jpeg(data):
        try:
            header = read_header(data)
        except ValueError:  # large profiles before the frame header
            try:
                header = read_header(_read_bytes(path))
            except ValueError:
                _refuse(path, "a truncated JPEG (its header ends early)")
        height, width, _, orientation = header
    else:
        try:
            with Image.open(open_stored(path)) as image:
                width, height = image.size
                orientation = exif_orientation(image.info.get("exif", b""))
        except Exception as error:
            _explain(error, path, data)
    return (width, height) if orientation >= 5 else (height, width)


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored `(H, W, 3)` pixels the way that EXIF `orientation` (1 to 8) says to show them."""
    if orientation >= 5:
        image = cv2.transpose(image)
    # What is left to do after the transposition: 1 mirrors columns, 0 rows, -1 both.
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return image if flip is None else cv2.flip(image, flip)


def decode_simplejpeg(data: bytes, header: JpegHeader, denominator: int) -> np.ndarray:
    """Decode a grey or three-channel JPEG at 1/denominator; ValueError on any damage."""
    if denominator == 1:
        return simplejpeg.decode_jpeg(data, "RGB")
    height, width = -(-header.height // denominator), -(-header.width // denominator)
    return simplejpeg.decode_jpeg(data, "RGB", min_height=height, min_width=width, min_factor=2)


def decode_opencv(data: bytes, header: JpegHeader, denominator: int) -> np.ndarray:
    """Give the same pixels as `decode_simplejpeg`; ValueError if the end is missing."""
    reduced = REDUCED[denominator] & ~cv2.IMREAD_COLOR_BGR if denominator > 1 else 0
    flags = reduced | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise ValueError("Premature end of JPEG file")
    return image


decode_jpeg = decode_opencv if simplejpeg is None else decode_simplejpeg


def _decode_jpeg(data: bytes, header: JpegHeader, min_side: int, path: FilePath) -> np.ndarray:
    short = min(header.height, header.width)
    fitting = (d for d in (8, 4, 2) if -(-short // d) >= min_side) if min_side > 0 else iter(())
    try:
        return decode_jpeg(data, header, next(fitting, 1))
    except ValueError as error:
        words = str(error)
    if "extraneous bytes" in words:  # some cameras write them; no pixel is lost
        warnings.warn(f"image '{path}': {words}; read all the same", stacklevel=3)
    elif "remature" in words or "Corrupt" in words:
        _refuse(path, f"a truncated or damaged JPEG ({words})")
    # Left are rare layouts that the fast decoder does not know; Pillow is as strict, only slower.
    return _decode_other(data, path, keep_orientation=True)


def _decode_other(data: bytes, path: FilePath, keep_orientation: bool = False) -> np.ndarray:
    try:
        with Image.open(BytesIO(data)) as image:
            orientation = 1 if keep_orientation else exif_orientation(image.info.get("exif", b""))
            if _is_deep(image, data):
                pixels = _decode_deep(data, path)
            else:
                pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except KitError:
        raise
    except Exception as error:
        _explain(error, path, data)
    return orient(pixels, orientation)


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Say whether a channel has more than 8 bits; Pillow would cut 16-bit colours off."""
    if image.format == "PNG":
        return data[24] == 16
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (8,))) > 8  # type: ignore[attr-defined]
    return image.mode.startswith(("I", "F"))


def _decode_deep(data: bytes, path: FilePath) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        _refuse(path, "a truncated or damaged 16-bit image")
    if pixels.dtype != np.uint16:
        _refuse(path, f"pixels of type {pixels.dtype}, which have no known range")
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    # Rounded, so that 8-bit values stored as 16-bit (times 257) come back exactly.
    return ((pixels[..., 2::-1].astype(np.uint32) + 128) // 257).astype(np.uint8)


def _read_bytes(path: FilePath, count: int = -1) -> bytes:
    try:
        data = read_stored(path, count)
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    if not data:
        _refuse(path, "an empty file (0 bytes)")
    return data


def _explain(error: Exception, path: FilePath, data: bytes) -> NoReturn:
    """Turn what Pillow raises (it has no common base class) into words for the person."""
    if isinstance(error, UnidentifiedImageError):
        _refuse(path, f"something that is not an image (it starts with {data[:8]!r})")
    if isinstance(error, Image.DecompressionBombError):
        raise KitError(
            f"expected an image of fewer pixels at '{path}': {error}; if it is sound, set "
            "PIL.Image.MAX_IMAGE_PIXELS in competitions/<name>/data.py"
        ) from None
    if isinstance(error, OSError | SyntaxError | ValueError | EOFError | IndexError | struct.error):
        _refuse(path, f"a truncated or damaged image ({error})")
    raise error


def _refuse(path: FilePath, what: str) -> NoReturn:
    raise KitError(
        f"expected an image at '{Path(path)}', got {what}; "
        "replace the file or leave its row out in competitions/<name>/data.py"
    ) from None
