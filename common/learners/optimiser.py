"""The optimiser: fused AdamW over groups for body and head, with and without weight decay."""

from collections.abc import Sequence
from typing import Any

import torch
from fastai.optimizer import OptimWrapper
from torch import nn


def adamw(
    groups: Sequence[Sequence[nn.Parameter]],
    lr: float,
    weight_decay: float = 0.01,
    body_lr_factor: float = 1.0,
) -> OptimWrapper:
    """Return fused AdamW (a third of the plain one's time, on CPU too) for fastai's Learner.

    Args:
        groups: parameters from input to output, the last group being the head.
        lr: learning rate of the head; earlier groups get `body_lr_factor` times it per group.
        weight_decay: decoupled; biases, norms and other vectors get none.
    """
    rows: list[dict[str, Any]] = []
    for depth, group in enumerate(groups):
        rate = lr * body_lr_factor ** (len(groups) - 1 - depth)
        for name, decay, members in (
            ("decayed", weight_decay, [p for p in group if p.ndim > 1]),
            ("plain", 0.0, [p for p in group if p.ndim <= 1]),
        ):
            if members:
                part = "head" if depth == len(groups) - 1 else f"body{depth}"
                values = {"lr": rate, "peak_lr": rate, "weight_decay": decay}
                rows.append({"params": members, "group_name": f"{part}_{name}", **values})
    return OptimWrapper(opt=torch.optim.AdamW(rows, lr=lr, fused=True))
