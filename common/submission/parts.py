"""A submission written a part at a time, so that memory holds no more than a part and the ids."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.errors import KitError, did_you_mean

ROWS = 2**10  # of a part


def in_parts(rows: Iterable[Mapping[str, Any]], size: int = ROWS) -> Iterator[pd.DataFrame]:
    """Yield rows as frames of a few each; at least one frame, be it without rows."""
    rest = iter(rows)
    yield pd.DataFrame(list(islice(rest, size)))
    while part := list(islice(rest, size)):
        yield pd.DataFrame(part)


def write_parts(
    parts: Iterable[pd.DataFrame],
    path: Path,
    columns: Sequence[str] = (),
    id_column: str | None = None,
) -> tuple[str, ...]:
    """Write frames one below the other as a csv file; return the ids of all rows.

    Args:
        columns: that are written, in this order; none: those of the first frame.
        id_column: None: the first.

    Raises:
        KitError: a column is missing, or there twice, or a value is missing.
    """
    ids: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        for part in parts:
            if not len(part.columns):
                continue
            head = not file.tell()
            columns = columns or list(part.columns)
            part = _take(part, columns, id_column or columns[0])
            ids += map(str, part[id_column or columns[0]].tolist())
            part.to_csv(file, header=head, index=False, lineterminator="\n")
        file.flush()
        os.fsync(file.fileno())
    return tuple(ids)


def sort_rows(path: Path, order: np.ndarray) -> None:
    """Write the rows of a csv file anew in another order; they are all read for it."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    write_parts([table.iloc[order]], path)


def _take(frame: pd.DataFrame, columns: Sequence[str], id_column: str) -> pd.DataFrame:
    """Return these columns of a frame in this order; refuse what cannot be written."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise KitError(f"expected each column once, got {twice!r} twice; drop one of the two")
    for name in (*columns, id_column):
        if name not in frame.columns:
            hint = did_you_mean(name, map(str, frame.columns))
            raise KitError(f"expected column {name!r}, got none; {hint}")
    taken = frame[list(columns)]
    _refuse_nan(taken)
    return taken


def _refuse_nan(frame: pd.DataFrame) -> None:
    """Refuse NaN and None, which csv cannot tell from the empty string that may be a prediction."""
    for name in frame.columns:
        bad = np.flatnonzero(frame[name].isna().to_numpy())
        if len(bad):
            raise KitError(
                f"expected a value in every row of column {name!r}, got NaN in {len(bad)}, first "
                f"for {frame.iloc[int(bad[0]), 0]!r}; predict every row ('' where none is right)"
            )
