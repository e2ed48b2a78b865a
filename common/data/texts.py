"""Many texts in one block of memory."""

from collections.abc import Iterable, Iterator

import numpy as np


class Texts:
    """A list of str that forked workers share: no Python object per row, no padding.

    numpy's own arrays of text give every row the room of the longest, which run-length code of a
    large mask makes a thousand times too much.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        coded = [text.encode() for text in texts]
        self._ends = np.cumsum([0, *map(len, coded)])
        self._bytes = np.frombuffer(b"".join(coded), np.uint8)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> str:
        row = range(len(self))[row]
        return self._bytes[self._ends[row] : self._ends[row + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))
