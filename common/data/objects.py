"""True objects of a picture, where its data tell them apart."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from common.data.masks import REMEDY, code_text, is_code
from common.data.rle import decode
from common.data.stored import open_stored
from common.errors import KitError


def read_objects(text: Any, mask: np.ndarray) -> np.ndarray:
    """Return the `(H, W)` int32 label map of the true objects of a picture, 0 the background.

    Args:
        text: path of a label map, or a run-length code per line; None: nobody tells them apart,
            and what hangs together in the mask is one.
        mask: `(H, W)` uint8, 1 is foreground.

    Raises:
        KitError: another size than the mask's, or a file that cannot be read.
    """
    if text is None:
        plain = np.ascontiguousarray(mask == 1).view(np.uint8)
        return cv2.connectedComponents(plain, connectivity=8)[1]
    lines = code_text(text).splitlines()
    if all(is_code(line) for line in lines):
        labels = np.zeros(mask.shape, np.int32)
        for number, line in enumerate(lines, 1):
            labels[decode(line, mask.shape) > 0] = number
        return labels
    return _read_map(Path(str(text)), mask.shape)


def _read_map(path: Path, size: tuple[int, ...]) -> np.ndarray:
    try:
        with Image.open(open_stored(path)) as image:
            labels = np.array(image)
    except KitError:  # of a shard, which is a ValueError as well
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise KitError(f"expected a label map in '{path}', got: {error}; {REMEDY}") from None
    if labels.shape != size or labels.dtype.kind not in "bui":
        raise KitError(
            f"expected a label map of {size[0]} x {size[1]} (height x width) whole numbers in "
            f"'{path}', got {labels.shape} {labels.dtype}; {REMEDY}"
        )
    return labels.astype(np.int32)
