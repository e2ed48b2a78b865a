"""The optimiser over groups for body and head, with and without weight decay: fused AdamW, or
one of timm's by name, alone or looking ahead."""

from collections.abc import Sequence
from typing import Any

import torch
from fastai.optimizer import OptimWrapper
from timm.models import group_parameters
from timm.optim import Lookahead, create_optimizer_v2, list_optimizers
from torch import nn
from torch.optim import Optimizer

from common.errors import KitError, did_you_mean

ADAMW, LOOKAHEAD = "adamw", "lookahead_"
# They need other packages, second derivatives, or a random state that no checkpoint holds.
UNFIT = ("fused*", "bnb*", "adahessian", "kron*")


def make_optimiser(
    groups: Sequence[Sequence[nn.Parameter]],
    lr: float,
    weight_decay: float = 0.01,
    body_lr_factor: float = 1.0,
    layer_decay: float = 1.0,
    name: str = ADAMW,
) -> OptimWrapper:
    """Return the optimiser for fastai's Learner.

    Args:
        groups: parameters from input to output, the last group being the head.
        lr: learning rate of the head; earlier groups get `body_lr_factor` times it per group.
        layer_decay: not 1: the groups before the head are layers; the last gets `body_lr_factor`
            times the head's rate, each earlier one `layer_decay` times that of the next.
        weight_decay: biases, norms and other vectors get none.
        name: see `check_optimiser`.
    """
    rows: list[dict[str, Any]] = []
    for depth, group in enumerate(groups):
        rate = lr * _factor(len(groups) - 1 - depth, body_lr_factor, layer_decay)
        for kind, decay, members in (
            ("decayed", weight_decay, [p for p in group if p.ndim > 1]),
            ("plain", 0.0, [p for p in group if p.ndim <= 1]),
        ):
            if members:
                part = "head" if depth == len(groups) - 1 else f"body{depth}"
                values = {"lr": rate, "peak_lr": rate, "weight_decay": decay}
                rows.append({"params": members, "group_name": f"{part}_{kind}", **values})
    return OptimWrapper(opt=_make(name, rows, lr))


def _make(name: str, rows: list[dict[str, Any]], lr: float) -> Optimizer:
    if name.startswith(LOOKAHEAD):
        return Lookahead(_make(name.removeprefix(LOOKAHEAD), rows, lr))
    if name == ADAMW:  # fused: a third of the plain one's time, on CPU too
        return torch.optim.AdamW(rows, lr=lr, fused=True)
    return create_optimizer_v2(rows, name, lr=lr)


def check_optimiser(name: str) -> None:
    """Raise unless it is the name of one of timm's optimisers, `lookahead_` before it or not.

    Lookahead (Zhang et al. 2019) goes back half the way every 6 steps, to slow weights that
    travel in the optimiser's state.

    Raises:
        KitError: it is none, or one that does not fit; the nearest name is told.
    """
    known = list_optimizers(exclude_filters=list(UNFIT))
    base = name.removeprefix(LOOKAHEAD)
    if base not in known:
        before = name[: len(name) - len(base)]
        raise KitError(
            f"expected an optimiser of timm in train.optimiser, got '{name}'; "
            f"{did_you_mean(name, [f'{before}{one}' for one in known])}"
        )


def _factor(before: int, body_lr_factor: float, layer_decay: float) -> float:
    """Return the share of the head's rate of the group that lies so many before the head."""
    if layer_decay == 1 or not before:
        return body_lr_factor**before
    return body_lr_factor * layer_decay ** (before - 1)


def layer_groups(model: Any) -> list[list[nn.Parameter]]:
    """Return a classifier's parameters layer by layer, as timm counts them, and then its head.

    Layer-wise decay of the learning rate (Clark et al. 2020, Bao et al. 2022) helps where
    pretrained transformers are fine-tuned: what early layers know is general, and kept. A layer may
    be empty, so that depths stay timm's.

    Raises:
        KitError: timm does not say what the network's layers are.
    """
    body = model.body
    if not hasattr(body, "group_matcher"):
        raise KitError(
            f"expected a network with known layers for train.layer_decay, got "
            f"{type(body).__name__}; set it to 1, and train.body_lr_factor instead"
        )
    of_name = group_parameters(body, body.group_matcher(coarse=False), reverse=True)
    head = model.groups()[-1]
    known, last = {id(parameter) for parameter in head}, max(of_name.values())
    layers: list[list[nn.Parameter]] = [[] for _ in range(last + 1)]
    for name, parameter in body.named_parameters():
        if id(parameter) not in known:
            layers[of_name.get(name, last)].append(parameter)
    return [*layers, head]
