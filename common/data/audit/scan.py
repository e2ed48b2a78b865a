"""Reads every image once: can it be read, what is it like, which bits stand for it."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from common.data.audit.hashes import SIDE, THUMB, is_flat, perceptual_hash, small_grey, thumbnail_of
from common.data.image import image_size, read_image
from common.data.stored import open_stored
from common.errors import KitError

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int, int], None]  # how many are done, of how many


@dataclass(frozen=True)
class Scan:
    """What N files are like; of one that cannot be read the numbers are 0."""

    hashes: np.ndarray  # (N,) uint64
    thumbs: np.ndarray  # (N, THUMB * THUMB) uint8
    flat: np.ndarray  # (N,) bool, next to nothing to see
    sizes: np.ndarray  # (N, 2) int64 height and width, as a person sees it
    modes: list[str]  # Pillow's, such as RGB, L, CMYK; "" if unknown
    errors: dict[int, str]  # by position: why a file cannot be read

    def part(self, rows: slice) -> "Scan":
        """Return what is known of some of the files that follow each other."""
        start, stop, _ = rows.indices(len(self.modes))
        errors = {row - start: why for row, why in self.errors.items() if start <= row < stop}
        columns = (self.hashes[rows], self.thumbs[rows], self.flat[rows], self.sizes[rows])
        return Scan(*columns, self.modes[rows], errors)

    @property
    def comparable(self) -> np.ndarray:
        """Return the positions of files whose hash says something."""
        broken = np.isin(np.arange(len(self.flat)), list(self.errors))
        return np.flatnonzero(~self.flat & ~broken)


def scan_images(paths: Sequence[str], threads: int = 0, progress: Progress | None = None) -> Scan:
    """Read all files whole, in as many threads as there are processors unless told.

    JPEGs are decoded at a fraction of their size: damage shows all the same, for all of their
    bytes are read.
    """
    found = list(in_threads(_look, paths, threads, progress))
    return Scan(
        np.array([one[0] for one in found], np.uint64),
        np.array([one[1] for one in found], np.uint8).reshape(len(found), THUMB * THUMB),
        np.array([one[2] for one in found], bool),
        np.array([one[3] for one in found], np.int64).reshape(len(found), 2),
        [one[4] for one in found],
        {place: one[5] for place, one in enumerate(found) if one[5]},
    )


def in_threads(
    function: Callable[[T], R], items: Sequence[T], threads: int, progress: Progress | None
) -> Iterator[R]:
    """Yield the results in order; decoders let go of Python's lock, so that threads do help."""
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        results: Iterable[R] = pool.map(function, items)
        for done, result in enumerate(results, 1):
            if progress:
                progress(done, len(items))
            yield result


def _look(path: str) -> tuple[Any, ...]:
    """Return hash, thumbnail, flatness, size, mode and error of one file."""
    size, mode = _header(path)
    try:
        grey = small_grey(read_image(path, 2 * SIDE))
    except KitError as error:
        return 0, np.zeros(THUMB * THUMB), False, size, mode, str(error)
    return perceptual_hash(grey), thumbnail_of(grey), is_flat(grey), size, mode, ""


def _header(path: str) -> tuple[tuple[int, int], str]:
    """Return size and mode as far as they can be had; reading the whole file says what is wrong."""
    try:
        size = image_size(path)
        with Image.open(open_stored(path)) as image:
            return size, image.mode
    except Exception:  # Pillow's errors have no common base class
        return (0, 0), ""
