"""What a batch began with: enough to run it again bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from common import distributed
from common.callbacks.anomaly.generators import Random
from common.models.normalise import Normalise


class Buffers:
    """Copies of a model's buffers (running means of norms), in memory that is used again."""

    def __init__(self, model: nn.Module) -> None:
        changing = (module for module in model.modules() if not isinstance(module, Normalise))
        self.buffers = [buffer for module in changing for buffer in module.buffers(recurse=False)]
        self.free: list[list[Tensor]] = []

    def copy(self) -> list[Tensor]:
        """Return copies, to be given to `free` when they are no longer needed."""
        if not self.free:
            return [buffer.clone() for buffer in self.buffers]
        copies = self.free.pop()
        move(copies, self.buffers)
        return copies

    def put_back(self, copies: Sequence[Tensor]) -> None:
        """Give the model's buffers the copied values."""
        with torch.no_grad():
            move(self.buffers, copies)


def move(to: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy values into tensors of the same shapes, in one call."""
    if to:
        torch._foreach_copy_(list(to), list(values))


class Cursor(NamedTuple):
    """Where in the training a batch is, as fastai counts."""

    iter: int
    train_iter: int
    pct_train: float


@dataclass
class Moment:
    """A batch on the device and the state in which the model met it."""

    batch: dict[str, Any]
    raw: dict[str, Any]  # the same before it was mixed
    arrived: Random  # before callbacks that change the batch drew from it
    started: Random  # before the model draws from it
    buffers: list[Tensor]
    cursor: Cursor
    loss: Tensor | None = None  # scalar


def trained_parameters(learn: Any) -> list[nn.Parameter]:
    """Return the parameters that the optimiser moves, in the model's order."""
    moved = {id(p) for part in learn.opt.param_lists for p in part}
    return [p for p in learn.model.parameters() if id(p) in moved]


def norms_of(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return the L2 norm of each gradient, scalars on the device; nothing is read from it.

    The cheapest pass over gradients that misses nothing that is not finite. It also overflows for
    a finite gradient beyond 1e19, which no training survives either.
    """
    gradients = [g for p in parameters if (g := p.grad) is not None]
    return list(torch._foreach_norm(gradients)) if gradients else []


def total_of(values: list[Tensor]) -> Tensor:
    """Return the sum of scalars over all processes: finite if they all are; nothing is read."""
    return distributed.add_up(torch.stack(values).sum())


def are_finite(values: list[Tensor]) -> bool:
    """Tell whether all scalars are finite, by one read from the device.

    What lies in the host's own memory is read quicker than added up.
    """
    if values[0].is_cpu and distributed.size() == 1:
        return all(isfinite(value.item()) for value in values)
    return isfinite(total_of(values).item())
