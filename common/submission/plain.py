"""Reads a plain csv file in blocks: one copy of the cells, and none of the text.

Several times as fast as the csv module, which makes a list for each row.
"""

from pathlib import Path

import numpy as np

BLOCK = 2**22  # bytes that are read at a time


def read_plain(path: Path, refused: tuple[bytes, ...]) -> list[list[str]] | None:
    """Return the columns of a file without quotes in which every row has as many fields; else None.

    Args:
        refused: what a file must not begin with.
    """
    columns: list[list[str]] = []
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK) + file.readline():
                if not columns:
                    if block.startswith(refused):
                        return None
                    columns = [[] for _ in block.partition(b"\n")[0].split(b",")]
                flat = _split(block, len(columns))
                for number, column in enumerate(columns):
                    column += flat[number :: len(columns)]
    except (OSError, ValueError):
        return None
    return columns or None


def _split(block: bytes, width: int) -> list[str]:
    """Return the cells of some lines, row after row.

    Raises:
        ValueError: they are not as plain as that.
    """
    block = block.replace(b"\r\n", b"\n").removesuffix(b"\n")
    marks = np.frombuffer(block + b"\n", np.uint8)
    marks = marks[(marks == ord(",")) | (marks == ord("\n"))]
    if any(mark in block for mark in (b'"', b"\r", b"\0")) or width == 1 or len(marks) % width:
        raise ValueError
    marks = marks.reshape(-1, width)
    if (marks[:, :-1] != ord(",")).any() or (marks[:, -1] != ord("\n")).any():
        raise ValueError
    return block.decode("utf-8").replace("\n", ",").split(",")
