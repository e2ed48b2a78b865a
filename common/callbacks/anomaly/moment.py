"""What a batch began with: enough to run it again bit for bit."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class Random(NamedTuple):
    """State of every global generator, as the generators give it: taken in each step."""

    python: Any
    numpy: Any
    torch: Tensor
    cuda: list[Tensor]

    @classmethod
    def take(cls) -> "Random":
        """Return the present state."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        numbers = np.random.get_state()  # noqa: NPY002 - the one that libraries draw from
        return cls(random.getstate(), numbers, torch.get_rng_state(), cuda)

    def put_back(self) -> None:
        """Make this state the present one."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)


class Buffers:
    """Copies of a model's buffers (running means of norms), in memory that is used again."""

    def __init__(self, model: nn.Module) -> None:
        self.buffers = list(model.buffers())
        self.pool: list[list[Tensor]] = []

    @torch.no_grad()
    def copy(self, place: int) -> list[Tensor]:
        """Return copies, kept until `place` is copied to again."""
        if place == len(self.pool):
            self.pool.append([buffer.clone() for buffer in self.buffers])
        else:
            move(self.pool[place], self.buffers)
        return self.pool[place]

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


def finite_total(losses: Iterable[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Return a scalar that is finite if all losses and gradients are; nothing is read from it.

    One L2 norm per tensor: the cheapest pass over gradients that misses nothing. It also overflows
    for a finite gradient beyond 1e19, which no training survives either.
    """
    norms = torch._foreach_norm(list(gradients)) if gradients else []
    return torch.stack([value.float() for value in (*losses, *norms)]).sum()
