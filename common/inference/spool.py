"""Predictions on their way: they come by model and batch, and go back by groups of images.

What is said of an image is complete after the last model alone. Until then it waits in a file, so
that memory holds a batch or a group, however many images there are.
"""

import pickle
from collections import defaultdict
from collections.abc import Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np

HELD = 2**24  # bytes that are kept in memory: a small test set needs no file

Entry = tuple[int, np.ndarray, Any]  # a model, rows within a group, and what it says of each


class Spool:
    """What models say of `count` images, of which `size` make a group."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size
        self.file = SpooledTemporaryFile(HELD)  # noqa: SIM115 - it ends with this
        self.places = defaultdict[int, list[int]](list)  # in the file, of each group

    def put(self, model: int, rows: np.ndarray, values: np.ndarray | Sequence[Any]) -> None:
        """Take what a model says of some images, in any order: an array or a list as long."""
        self.file.seek(0, 2)
        for group in np.unique(rows // self.size).tolist():
            own = np.flatnonzero(rows // self.size == group)
            said = (
                values[own]
                if isinstance(values, np.ndarray)
                else [values[row] for row in own.tolist()]
            )
            self.places[group].append(self.file.tell())
            pickle.dump((model, rows[own] - group * self.size, said), self.file, protocol=5)

    def groups(self) -> Iterator[tuple[slice, Iterator[Entry]]]:
        """Yield the rows of one group after the other, and what was put for them, as it came."""
        for group, start in enumerate(range(0, self.count, self.size)):
            rows = slice(start, min(start + self.size, self.count))
            yield rows, map(self._load, self.places[group])

    def _load(self, place: int) -> Entry:
        self.file.seek(place)
        return pickle.load(self.file)
