"""Which samples of a batch are to blame."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from common.keys import INDEX

MOST_TRIED = 128  # samples that are run one by one


def bad_rows(value: Tensor, count: int) -> list[int]:
    """Return the rows with values that are not finite; none if it is not one row per sample."""
    if value.ndim == 0 or len(value) != count or not value.is_floating_point():
        return []
    fine = torch.isfinite(value.detach()).reshape(count, -1).all(1)
    return (~fine).nonzero()[:, 0].tolist()


def narrow(
    batch: Mapping[str, Any], values: Sequence[Tensor], is_bad: Callable[[dict[str, Any]], bool]
) -> list[int]:
    """Return the fewest rows that explain it.

    Args:
        values: tensors that are not finite, the earliest first.
        is_bad: runs a batch and tells whether it is not finite either.

    Returns:
        Those that an early value shows; else those that are bad with none but themselves; else
        all.
    """
    count = len(batch[INDEX])
    for value in values:
        rows = bad_rows(value, count)
        if 0 < len(rows) < count:
            return rows
    tried = range(count if count <= MOST_TRIED else 0)
    alone = [row for row in tried if is_bad(twice(batch, row, count))]
    return alone or list(range(count))


def twice(batch: Mapping[str, Any], row: int, count: int) -> dict[str, Any]:
    """Return a batch of one sample, two times over: batch norm refuses a single value."""
    return {key: _pick(value, row, count) for key, value in batch.items()}


def _pick(value: Any, row: int, count: int) -> Any:
    if isinstance(value, Tensor) and value.ndim and len(value) == count:
        return value[[row, row]]
    if isinstance(value, list | tuple) and len(value) == count:
        return [value[row], value[row]]
    return value
