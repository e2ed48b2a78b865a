"""Predictions of any number of images, in a file that grows while memory does not.

They go to a parquet file a row group at a time; `common.inference.stream_classes` puts it together.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common.keys import IMAGE_ID

ROWS, BYTES = 2**14, 2**23  # of a row group: at most, and what it may always take


def group_size(rows: int, columns: int) -> int:
    """Return the rows of a group of which the writer needs the least memory.

    It holds two copies of a group, 4 bytes a cell, and to the end a kilobyte for each column of
    each group that is written: few rows to a group cost as much as many.
    """
    return max(min(ROWS, max(BYTES // (4 * columns), 12 * isqrt(rows))), 1)


class RowGroups:
    """Writes a parquet file: a column of ids and one for each class, float32."""

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        types = [(IMAGE_ID, pa.string()), *((name, pa.float32()) for name in classes)]
        self.schema = pa.schema(types)
        self.writer = pq.ParquetWriter(
            path, self.schema, use_dictionary=False, write_statistics=False
        )

    def write(self, ids: Sequence[str], values: np.ndarray) -> None:
        """Write a row group of `(n, C)` predictions."""
        columns = [pa.array(ids, pa.string()), *map(pa.array, values.T.copy())]
        self.writer.write_table(pa.Table.from_arrays(columns, schema=self.schema))


@contextmanager
def row_groups(out: Path, classes: Sequence[str]) -> Iterator[RowGroups]:
    """Write `out` within the block; what was there is replaced in the end, at once."""
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        groups = RowGroups(partial, classes)
        with groups.writer:
            yield groups
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


@dataclass
class Fallback:
    """The mean over all rows that have a prediction: what the others get."""

    total: np.ndarray  # (C,) float64
    count: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take some rows into the mean."""
        self.total += values.sum(0, dtype=np.float64)
        self.count += len(values)

    @property
    def mean(self) -> np.ndarray:
        """`(C,)` float32; a class as likely as another if there was no prediction."""
        alike = np.full_like(self.total, 1 / len(self.total))
        return (self.total / self.count if self.count else alike).astype(np.float32)


def read_groups(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the predictions of a file as `predict_classes` returns them, a row group at a time."""
    file = pq.ParquetFile(path)
    for number in range(file.num_row_groups):
        yield file.read_row_group(number).to_pandas()
