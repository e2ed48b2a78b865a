"""The one gather per validation: everything that is asked of a model's predictions reads it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from common import distributed
from common.errors import KitError
from common.keys import IMAGE_ID, INDEX, LOSS, PREDICTION, SCORE, TARGET

Column = np.ndarray | list[Any]


class Evaluation:
    """What a model said of every sample: columns of N rows, ordered by `INDEX`.

    Columns: `INDEX` (N,) int64, `IMAGE_ID`, `TARGET`, `PREDICTION`, `LOSS` (N,), a `loss/<term>`
    per term, a `score/<name>` of further scores. Ragged values (boxes) are lists of N. Images are
    not kept: they are read again by index.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        order = np.argsort(np.asarray(columns[INDEX]), kind="stable")
        self.columns = {name: _take(column, order) for name, column in columns.items()}
        self.scores: dict[str, float] = {}  # metric name -> value, filled by whoever computes it

    @classmethod
    def merge(cls, parts: Iterable["Evaluation"]) -> "Evaluation":
        """Join the parts of several processes; a sample that was padded in twice counts once."""
        parts = list(parts)
        joined = {name: _join([part[name] for part in parts]) for name in parts[0].columns}
        _, first = np.unique(np.asarray(joined[INDEX]), return_index=True)
        return cls({name: _take(column, first) for name, column in joined.items()})

    def __getitem__(self, name: str) -> Any:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns[INDEX])

    @property
    def bytes_per_sample(self) -> float:
        """Memory of the numeric columns, divided by the samples."""
        arrays = [column for column in self.columns.values() if isinstance(column, np.ndarray)]
        return sum(array.nbytes for array in arrays) / max(len(self), 1)

    def ranked(self, by: str = LOSS, worst: bool = True) -> np.ndarray:
        """Return rows ordered by a column, largest first if `worst`; NaN counts as infinite."""
        values = np.asarray(self[by], dtype=np.float64)
        key = np.where(np.isnan(values), np.inf, values)
        return np.argsort(-key if worst else key, kind="stable")


class Gather:
    """Collects batches into columns that are allocated once, for `size` samples."""

    def __init__(self, size: int) -> None:
        self.size, self.rows = size, 0
        self.columns: dict[str, Column] = {}

    def add(
        self,
        batch: Mapping[str, Any],
        losses: Mapping[str, Tensor],
        total: Tensor,
        scores: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> None:
        """Keep of each sample `INDEX`, `IMAGE_ID`, `TARGET`, `PREDICTION`, losses and scores."""
        values = {name: batch[name] for name in (INDEX, IMAGE_ID, TARGET, PREDICTION)}
        terms = {f"{LOSS}/{name}": value for name, value in losses.items()}
        further = {f"{SCORE}/{name}": value for name, value in scores.items()}
        for name, value in {**values, LOSS: total, **terms, **further}.items():
            self._put(name, value)
        self.rows += len(batch[INDEX])

    def evaluation(self) -> Evaluation:
        """Return what was collected."""
        if not self.rows:
            raise KitError("expected samples to validate on, got none; is the fold empty?")
        return Evaluation({name: column[: self.rows] for name, column in self.columns.items()})

    def _put(self, name: str, value: Tensor | Sequence[Any]) -> None:
        if not isinstance(value, Tensor):
            self.columns.setdefault(name, []).extend(value)  # type: ignore[union-attr]
            return
        array = value.detach().cpu().numpy()
        if name not in self.columns:
            self.columns[name] = np.empty((self.size, *array.shape[1:]), array.dtype)
        self.columns[name][self.rows : self.rows + len(array)] = array


def gather_all(own: Gather) -> Evaluation:
    """Return what this process collected together with what all others did."""
    if distributed.size() == 1:
        return own.evaluation()
    parts = distributed.gather(own.evaluation() if own.rows else None)
    if not (found := [part for part in parts if part is not None]):
        return own.evaluation()  # which says that there is nothing
    return Evaluation.merge(found)


def _take(column: Column, rows: np.ndarray) -> Column:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]


def _join(columns: Sequence[Column]) -> Column:
    if isinstance(columns[0], np.ndarray):
        return np.concatenate([np.asarray(column) for column in columns])
    return [value for column in columns for value in column]
