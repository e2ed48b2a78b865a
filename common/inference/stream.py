"""Predictions of any number of images, in a file that grows while memory does not.

A model's predictions go to a parquet file as they come, a row group at a time; the mean over
models is then made group by group. `common.inference.stream_classes` puts it
together.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common.keys import IMAGE_ID

ROWS, BYTES = 2**14, 2**23  # of a row group, whichever is less
ABSENT = -np.inf  # no probability, and no NaN, which a network may predict and has to be seen
WHOLE = 1 - 1e-9  # a sum of shares from which on all are in it


class RowGroups:
    """Writes `(N, C)` predictions in the order of `ids`; rows that never come are ABSENT.

    Two groups are kept in memory. Rows may come in any order within a batch, and batches in theirs.

    Args:
        path: of the parquet file: a column of ids and one for each class, float32.
        batch: rows of the largest batch.
    """

    def __init__(
        self, path: Path, ids: Sequence[str], classes: Sequence[str], batch: int = 1
    ) -> None:
        self.ids, self.classes, self.start = ids, list(classes), 0
        self.size = max(min(ROWS, BYTES // (4 * max(len(self.classes), 1))), batch, 1)
        self.kept = np.full((2 * self.size, len(self.classes)), ABSENT, np.float32)
        types = [(IMAGE_ID, pa.string()), *((name, pa.float32()) for name in self.classes)]
        self.schema = pa.schema(types)
        self.writer = pq.ParquetWriter(
            path, self.schema, use_dictionary=False, write_statistics=False
        )

    def put(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Take the predictions of some rows; write what no later batch can change."""
        while len(rows) and rows.max() >= self.start + len(self.kept):
            self._write(self.size)
        self.kept[rows - self.start] = values

    def close(self) -> None:
        """Write the rest."""
        while self.start < len(self.ids):
            self._write(self.size)
        self.writer.close()

    def _write(self, count: int) -> None:
        ids = self.ids[self.start : self.start + count]
        columns = [pa.array(ids, pa.string())]
        columns += [pa.array(column[: len(ids)]) for column in self.kept.T.copy()]
        self.writer.write_table(pa.Table.from_arrays(columns, schema=self.schema))
        self.kept[:-count] = self.kept[count:]
        self.kept[-count:] = ABSENT
        self.start += count


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


def merge(parts: Sequence[Path], shares: Sequence[float], out: Path) -> Path:
    """Write the mean of several files of `RowGroups`, group by group; see `predict_classes`.

    Args:
        shares: of each file in the mean; a row that a file lacks is the mean of the others.
    """
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    files = [pq.ParquetFile(part) for part in parts]
    fallback = Fallback(np.zeros(files[0].metadata.num_columns - 1))
    for number in range(files[0].num_row_groups):
        values, there = _mean(files, shares, number)
        fallback.add(values[there])
    try:
        with pq.ParquetWriter(
            partial, files[0].schema_arrow, use_dictionary=False, write_statistics=False
        ) as writer:
            for number in range(files[0].num_row_groups):
                values, there = _mean(files, shares, number)
                values[~there] = fallback.mean
                ids = files[0].read_row_group(number, [IMAGE_ID]).column(0)
                columns = [ids, *(pa.array(column) for column in values.T.copy())]
                writer.write_table(pa.Table.from_arrays(columns, schema=files[0].schema_arrow))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return out


def read_groups(path: Path) -> Iterator[pd.DataFrame]:
    """Yield the predictions of a file as `predict_classes` returns them, a row group at a time."""
    file = pq.ParquetFile(path)
    for number in range(file.num_row_groups):
        yield file.read_row_group(number).to_pandas()


def _mean(
    files: Sequence[pq.ParquetFile], shares: Sequence[float], number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return `(n, C)` means of a row group over the files, and which rows have one, `(n,)`."""
    total, done = np.zeros((0, 0), np.float32), np.zeros(0)
    for file, share in zip(files, shares, strict=True):
        table = file.read_row_group(number, file.schema_arrow.names[1:])
        values = np.stack([column.to_numpy() for column in table.columns], axis=1)
        if not len(done):
            total, done = np.zeros_like(values), np.zeros(len(values))
        there = values[:, 0] != ABSENT
        total[there] += values[there] * np.float32(share)
        done[there] += share
    short = (done > 0) & (done < WHOLE)
    total[short] /= done[short, None]
    return total, done > 0
