"""The file that says how checkpoints are combined: `kit blend` writes it, predicting reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from common.checkpoints import load_checkpoint, save_checkpoint
from common.errors import KitError
from common.inference.ways import Way, way_of

STACK, RANK = "stack", "rank"


class Plan(NamedTuple):
    """M members, each the mean of its folds' checkpoints, in the order of the checkpoints."""

    how: str
    folds: list[int]  # checkpoints of each member
    weights: np.ndarray  # (M,), for a stack of the mean that stands in for it
    multilabel: bool
    exponent: float = 1.0  # of a power mean
    models: Sequence[Mapping[str, Any]] = ()  # of a stack, as `common.blending.stacking` tells them
    known: Sequence[np.ndarray] = ()  # of a rank mean: (K, C) of each checkpoint, ascending

    @property
    def way(self) -> Way:
        """How members are summed; a stack's stand-in is a mean."""
        return way_of(self.how, self.multilabel, self.exponent)

    @property
    def member_of(self) -> list[int]:
        """The member of each checkpoint."""
        return np.repeat(np.arange(len(self.folds)), self.folds).tolist()


def write_plan(plan: Plan, file: Path) -> None:
    """Write it, sealed like a checkpoint."""
    content = {
        **plan._asdict(),
        "weights": plan.weights.tolist(),
        "models": list(plan.models),
        "known": [torch.from_numpy(np.ascontiguousarray(one)) for one in plan.known],
    }
    save_checkpoint(file, {"blend": content})


def read_plan(name: str, checkpoints: Sequence[Path]) -> Plan:
    """Return the plan in a file, which lies beside the checkpoints where its name has no folder.

    Raises:
        KitError: there is none, or it is of other checkpoints.
    """
    file = Path(name) if Path(name).is_absolute() else checkpoints[0].parent / name
    if not file.is_file():
        raise KitError(f"expected a file of kit blend in predict.blend, '{file}' is none")
    content = load_checkpoint(file).get("blend")
    if content is None:
        raise KitError(f"expected a file of kit blend in predict.blend, '{file}' is another kind")
    plan = Plan(
        **{
            **content,
            "weights": np.array(content["weights"]),
            "known": [one.numpy() for one in content["known"]],
        }
    )
    if sum(plan.folds) != len(checkpoints):
        raise KitError(
            f"expected the {sum(plan.folds)} checkpoints that '{file}' combines, got "
            f"{len(checkpoints)}; predict with --run BLEND, which names them"
        )
    return plan
