"""Planted faults: each knows where it is and what a report has to say of it (faults_of_*.py)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from common.keys import LABEL, LOGITS
from common.losses.terms import LossTerm

SICK = 2  # row of the sample that is to blame
INF = float("inf")


@dataclass
class Fault:
    """How to break a learner, and what the report has to name."""

    name: str
    task: str
    plant: Callable
    operation: str
    place: str
    term: str
    rows: tuple[int, ...] | None = None  # None: all of the batch
    source: str = ""
    code: str = "# planted"  # part of the line that is named
    stage: str = "forward"
    at_once: bool = False  # the very first step is bad, else the second or a later one
    amp: bool = False  # in fp16


FAULTS: list[Fault] = []


def fault(operation: str, place: str = "loss term 'bad'", term: str = "bad", **more):
    def add(plant):
        name = plant.__name__
        FAULTS.append(Fault(name, more.pop("task"), plant, operation, place, term, **more))
        return plant

    return add


def with_term(learner, function, output: str, target: str) -> None:
    """Add a term of the loss, named bad."""
    learner.loss_func.terms.append(LossTerm(output, target, function, 0.1, "bad"))


def class_term(learner, function) -> None:
    with_term(learner, function, LOGITS, LABEL)


def change(learner, key: str, value: Callable[[dict], object]) -> None:
    """Change the second batch."""
    batches = learner.batches
    batches[1] = {**batches[1], key: value(batches[1])}


def spoiled(values: Tensor, value: float) -> Tensor:
    """Return a copy whose sick row has one value of this kind."""
    values = values.clone()
    values[SICK].view(-1)[5 % values[SICK].numel()] = value
    return values


class Bad(nn.Module):
    """A layer that does something to its input."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def features(learner, function) -> None:
    learner.model.features = Bad(function)


def only(value: Tensor, row: int = SICK) -> Tensor:
    """Return a mask `(N, 1, ...)` of one row."""
    mask = torch.zeros(len(value), dtype=torch.bool)
    mask[row] = True
    return mask.view(-1, *[1] * (value.ndim - 1))
