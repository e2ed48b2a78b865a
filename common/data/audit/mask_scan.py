"""Reads every mask once: can it be read, and how much of each class is in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.data.audit.finding import Finding, ok, problem
from common.data.audit.scan import Progress, Scan, in_threads
from common.data.files import some
from common.data.masks import code_text, read_mask
from common.errors import KitError
from common.keys import IGNORE, MASK


def scan_masks(
    frame: pd.DataFrame,
    scan: Scan,
    num_classes: int,
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[np.ndarray, dict[int, str]]:
    """Return `(N, C)` pixels of each class and, by position, why a mask cannot be read.

    Of one class the foreground alone is counted; of several, class 0 is the background. Masks of
    images that cannot be read are left out.
    """

    def count(place: int) -> tuple[np.ndarray, str]:
        none = np.zeros(num_classes, np.int64)
        if place in scan.errors:
            return none, ""
        height, width = scan.sizes[place].tolist()
        try:
            mask = read_mask(code_text(frame[MASK].iloc[place]), height, width, num_classes)
        except KitError as error:
            return none, str(error)
        counts = np.bincount(mask[mask != IGNORE], minlength=num_classes + 1)
        return counts[1:2] if num_classes == 1 else counts[:num_classes], ""

    found = list(in_threads(count, range(len(frame)), threads, progress))
    pixels = np.array([one[0] for one in found], np.int64).reshape(-1, num_classes)
    return pixels, {place: one[1] for place, one in enumerate(found) if one[1]}


def broken_masks(pixels: np.ndarray, errors: dict[int, str], ids: Sequence[str]) -> Finding:
    """Tell of masks that cannot be read or do not fit, and how many are empty."""
    if errors:
        return problem(
            "masks",
            f"{len(errors)} of {len(ids)} do not fit: {some([ids[place] for place in errors], 3)}; "
            f"the first: {next(iter(errors.values()))}",
            "mend these masks or leave their rows out in data.py; training stops at the first",
        )
    foreground = pixels if pixels.shape[1] == 1 else pixels[:, 1:]
    empty = int((foreground.sum(1) == 0).sum())
    return ok("masks", f"all {len(ids)} are read and fit; {empty} without foreground")
