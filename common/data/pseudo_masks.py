"""Masks as pseudo-labels: sure pixels are labels, those in between count nowhere.

Pixels below a confidence are left out as in UniMatch (Yang et al., "Revisiting weak-to-strong
consistency in semi-supervised semantic segmentation", 2023), whose 0.95 is the default. They hold
IGNORE, so that losses pass over them.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import cv2
import numpy as np
import pandas as pd

from common.errors import KitError, cannot_write
from common.keys import IGNORE, IMAGE_ID, MASK, PATH, WEIGHT

SUFFIX = ".png"


class FoundMask(NamedTuple):
    """What is sure of a picture."""

    png: bytes  # (H, W) uint8: 0 and 1 of one class, else the class; IGNORE where unsure
    doubt: float  # unsure pixels / all
    confidence: float  # mean probability of the likeliest class
    counts: np.ndarray  # (C + 1,) int64 sure pixels of each value; of one class: (2,)


def judge_mask(probs: np.ndarray, least: float) -> FoundMask:
    """Return the sure pixels of a picture as a mask.

    Args:
        probs: `(H, W)` of one class, or `(C, H, W)` that add up to 1.
        least: probability of the likeliest class (or of background) from which a pixel is sure.
    """
    if probs.ndim == 2:
        confidence = np.maximum(probs, 1 - probs)
        mask, count = (probs >= 0.5).astype(np.uint8), 2
    else:
        confidence = probs.max(0)
        mask, count = probs.argmax(0).astype(np.uint8), len(probs)
    unsure = confidence < least
    mask[unsure] = IGNORE
    counts = np.bincount(mask[~unsure], minlength=count)
    return FoundMask(to_png(mask), float(unsure.mean()), float(confidence.mean()), counts)


def mask_rows(frame: pd.DataFrame, found: Sequence[FoundMask]) -> pd.DataFrame:
    """Return image_id, path, weight and mask (the bytes of a PNG) of M pictures.

    A picture weighs as much as it is sure on average; what is not sure in it counts nowhere.

    Args:
        frame: columns image_id and path.
    """
    return pd.DataFrame(
        {
            IMAGE_ID: frame[IMAGE_ID].astype(str).to_numpy(object),
            PATH: frame[PATH].astype(str).to_numpy(object),
            WEIGHT: np.array([one.confidence for one in found], np.float32),
            MASK: [one.png for one in found],
        }
    )


def unpack_masks(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the rows with the paths of their masks, which are written into a folder as PNG files.

    Args:
        folder: of these rows alone; files that are there are taken for what they are to hold.
    """
    paths = [folder / (quote(str(name), safe="") + SUFFIX) for name in rows[IMAGE_ID]]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, rows[MASK], strict=True):
            if not path.exists():
                partial = path.with_name(f"{path.name}.{os.getpid()}")
                partial.write_bytes(content)  # another training may read these files
                partial.replace(path)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return rows.assign(**{MASK: [str(path) for path in paths]})


def to_png(mask: np.ndarray) -> bytes:
    """Return `(H, W)` uint8 as the bytes of a PNG."""
    good, content = cv2.imencode(SUFFIX, mask)
    if not good:
        raise KitError(f"expected a mask that PNG can hold, got {mask.shape} {mask.dtype}")
    return content.tobytes()
