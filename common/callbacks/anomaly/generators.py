"""States of the global generators of random numbers, taken in every step."""

import random
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

RARELY = 64  # steps between looks at generators that nobody uses


class Random(NamedTuple):
    """State of every global generator, as the generators give it."""

    python: Any
    numpy: Any
    torch: Tensor
    cuda: list[Tensor]

    @classmethod
    def take(cls) -> "Random":
        """Return the present state."""
        return cls(*of_host(), *of_torch())

    def put_back(self) -> None:
        """Make this state the present one."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002
        torch.set_rng_state(self.torch)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)


class Generators:
    """Takes the random state of each step; Python's and numpy's, 40 us, only if they are used.

    Generators whose state is the same after n steps were not used in between, so theirs is taken
    every n-th step, n = 1, 2, 4 .. 64; where it has changed in every step again. A state from
    before the very first use may be up to 64 steps old.
    """

    def __init__(self) -> None:
        self.host: Any = None  # states when they were last taken
        self.every = self.left = 1

    def take(self) -> Random:
        """Return the present state."""
        self.left -= 1
        if not self.left:
            known, self.host = self.host, of_host()
            used = known is None or not _same(known, self.host)
            self.every = 1 if used else min(2 * self.every, RARELY)
            self.left = self.every
        python, numbers = self.host
        return Random(python, numbers, *of_torch())


def of_host() -> tuple[Any, Any]:
    """Return the states of Python's and numpy's global generators, which libraries draw from."""
    return random.getstate(), np.random.get_state()  # noqa: NPY002


def of_torch() -> tuple[Tensor, list[Tensor]]:
    """Return the states of torch's generators, of the host and of each GPU."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), cuda


def _same(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    (python, numbers), (python_then, numbers_then) = one, other
    rest = numbers[2:] == numbers_then[2:] and np.array_equal(numbers[1], numbers_then[1])
    return rest and python == python_then
