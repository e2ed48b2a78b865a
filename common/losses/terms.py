"""The loss of a model as a list of named terms over a dict of outputs and a batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from common.keys import WEIGHT

LossFunction = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class LossTerm:
    """One summand: `weight * function(outputs[output], batch[target])`.

    `function` gives one value per sample, `(N,)`; the batch's loss is their mean.
    """

    output: str
    target: str
    function: LossFunction
    weight: float = 1.0
    name: str = ""
    auxiliary: bool = False  # it is learnt, but tells nothing of how good a sample is predicted

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.function.__name__)


class Loss:
    """The weighted sum of terms; keeps the per-sample values of the last call.

    Computed in float32 whatever autocast is on: half precision overflows in sums and logarithms.
    """

    def __init__(self, terms: Sequence[LossTerm]) -> None:
        self.terms = list(terms)
        self.samples: dict[str, Tensor] = {}  # per term (N,), detached

    def __call__(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Tensor:
        """Return the mean loss of the batch, a scalar; each sample's times its WEIGHT, if any."""
        values = self.per_sample(outputs, batch)
        self.samples = {name: value.detach() for name, value in values.items()}
        total = self.total(values)
        return (total * batch[WEIGHT]).mean() if WEIGHT in batch else total.mean()

    def per_sample(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return `(N,)` unweighted values per term."""
        device = batch[self.terms[0].target].device.type if self.terms else "cpu"
        with torch.autocast(device, enabled=False):
            return {
                term.name: term.function(_float(outputs[term.output]), batch[term.target])
                for term in self.terms
            }

    def total(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the `(N,)` weighted sum of the terms' values: what is learnt."""
        return _weighted(self.terms, values)

    def main(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the `(N,)` weighted sum without auxiliary terms: what samples are ranked by."""
        return _weighted([term for term in self.terms if not term.auxiliary], values)


def _weighted(terms: Sequence[LossTerm], values: Mapping[str, Tensor]) -> Tensor:
    first, *rest = (
        values[term.name] if term.weight == 1 else values[term.name] * term.weight for term in terms
    )
    return sum(rest, first)


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
