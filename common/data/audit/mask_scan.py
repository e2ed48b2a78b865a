"""Reads every mask once: can it be read, how much of each class is in it, how much is ignored."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from common.data.audit.finding import Finding, ok, problem, warning
from common.data.audit.scan import Progress, Scan, in_threads
from common.data.files import some
from common.data.masks import code_text, read_mask
from common.errors import KitError
from common.keys import IGNORE, MASK

LEAVE_OUT = "leave their rows out in data.py: nothing can be learnt from them, nor be scored"


class MaskScan(NamedTuple):
    """What N masks hold."""

    pixels: np.ndarray  # (N, C) int64 of each class; of one class the foreground
    errors: dict[int, str]  # by position why a mask cannot be read
    ignored: np.ndarray  # (N,) share of the pixels of which nothing is known


def scan_masks(
    frame: pd.DataFrame,
    scan: Scan,
    num_classes: int,
    threads: int = 0,
    progress: Progress | None = None,
    ignore: int | None = None,
) -> MaskScan:
    """Count the pixels of every mask.

    Of one class the foreground alone is counted; of several, class 0 is the background. Masks of
    images that cannot be read are left out.

    Args:
        ignore: see `ignored_value`.
    """

    def count(place: int) -> tuple[np.ndarray, str, float]:
        none = np.zeros(num_classes, np.int64)
        if place in scan.errors:
            return none, "", 0.0
        height, width = scan.sizes[place].tolist()
        text = code_text(frame[MASK].iloc[place])
        try:
            mask = read_mask(text, height, width, num_classes, ignore=ignore)
        except KitError as error:
            return none, str(error), 0.0
        known = mask[mask != IGNORE]
        counts = np.bincount(known, minlength=num_classes + 1)
        kept = counts[1:2] if num_classes == 1 else counts[:num_classes]
        return kept, "", 1 - known.size / max(mask.size, 1)

    found = list(in_threads(count, range(len(frame)), threads, progress))
    pixels = np.array([one[0] for one in found], np.int64).reshape(-1, num_classes)
    errors = {place: one[1] for place, one in enumerate(found) if one[1]}
    return MaskScan(pixels, errors, np.array([one[2] for one in found]))


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


def ignored_pixels(ignored: np.ndarray, ids: Sequence[str]) -> list[Finding]:
    """Tell how many pixels count nowhere, and of masks that hold no others; nothing if none do."""
    there, whole = np.flatnonzero(ignored > 0), np.flatnonzero(ignored == 1)
    if not len(there):
        return []
    if len(whole):
        named = some([ids[place] for place in whole.tolist()], 3)
        found = f"{len(whole)} of {len(ids)} masks hold nothing else: {named}"
        tell = problem if len(whole) == len(ids) else warning
        return [tell("ignored pixels", found, LEAVE_OUT)]
    share = f"{ignored[there].mean():.1%} of {len(there)} of {len(ids)} masks count nowhere"
    return [ok("ignored pixels", f"{share}, {ids[int(ignored.argmax())]}: {ignored.max():.1%}")]
