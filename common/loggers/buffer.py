"""Scalars of steps, kept back so that a step neither waits for the device nor pays for a call."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from common.loggers.base import Logger
from common.loggers.fan_out import FanOut, Row

Kept = tuple[dict[str, float | torch.Tensor], int, float]  # values, global_step, epoch


class ScalarBuffer:
    """Collects the scalars of `every` steps, reads their tensors at once and logs them.

    What then reaches a logger is decided by `FanOut.window`. Tensors are kept as they are until
    then: hand over ones that are not changed in place afterwards. Flush at the end of an epoch;
    a checkpoint within one takes along the rows that are kept back.
    """

    def __init__(self, logger: Logger, every: int):
        self.every = every
        self._logger = logger if isinstance(logger, FanOut) else FanOut([logger], strict=True)
        self._rows: list[Kept] = []

    def add(
        self, values: Mapping[str, float | torch.Tensor], global_step: int, epoch: float
    ) -> list[Row]:
        """Keep the floats and 0-d tensors of one step; every `every`-th call flushes."""
        kept = {k: v.detach() if isinstance(v, torch.Tensor) else v for k, v in values.items()}
        self._rows.append((kept, global_step, epoch))
        return self.flush() if len(self._rows) >= self.every else []

    @property
    def is_last(self) -> bool:
        """Whether the next call of `add` will flush."""
        return len(self._rows) + 1 >= self.every

    def forget(self, global_step: int) -> int:
        """Drop what is kept of later steps; return how many are left."""
        self._rows = [row for row in self._rows if row[1] <= global_step]
        return len(self._rows)

    def flush(self) -> list[Row]:
        """Log what is kept, and return it as plain numbers."""
        rows, self._rows = _read(self._rows), []
        if self._logger.loggers:
            self._logger.window(rows)
        return rows

    def rows(self) -> list[Row]:
        """Return what is kept as plain numbers, for a checkpoint."""
        rows = _read(self._rows)
        self.restore(rows)
        return rows

    def restore(self, rows: Iterable[Row]) -> None:
        """Keep the rows that another session had kept back."""
        self._rows = [(dict(values), step, epoch) for values, step, epoch in rows]


def _read(rows: list[Kept]) -> list[Row]:
    """Return the rows with floats only, after one read per device."""
    places: dict[torch.device, list[tuple[int, str, torch.Tensor]]] = {}
    for i, (values, _, _) in enumerate(rows):
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                places.setdefault(value.device, []).append((i, name, value))
    read: list[dict[str, Any]] = [dict(values) for values, _, _ in rows]
    for found in places.values():
        stacked = torch.stack([value.reshape(()).float() for _, _, value in found]).tolist()
        for (i, name, _), number in zip(found, stacked, strict=True):
            read[i][name] = number
    return [(values, step, epoch) for values, (_, step, epoch) in zip(read, rows, strict=True)]
