"""Losses of real-valued targets, one value per sample, `(N,)`, from logits `(N, C)`.

Targets come in their own units; `inside` brings them to where the logits are: standardised, or into
0..1 for a sigmoid. So a loss of 1 is that of always predicting the mean, whatever the unit.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from common.losses.safe import widened

Inside = Callable[[Tensor], Tensor]
ValueLoss = Callable[[Tensor, Tensor], Tensor]


def squared_error(inside: Inside) -> ValueLoss:
    """Return squared error, mean over columns: what RMSE and R2 reward."""

    def squared_error(logits: Tensor, target: Tensor) -> Tensor:
        return (widened(logits) - inside(target)).square().mean(1)

    return squared_error


def absolute_error(inside: Inside) -> ValueLoss:
    """Return absolute error, mean over columns: aims at the median, which outliers do not move."""

    def absolute_error(logits: Tensor, target: Tensor) -> Tensor:
        return (widened(logits) - inside(target)).abs().mean(1)

    return absolute_error


def smooth_absolute_error(inside: Inside) -> ValueLoss:
    """Return Huber's loss, mean over columns: squared within one standard deviation, then linear.

    Helps where a few targets are far off (Huber 1964; smooth L1 with beta 1).
    """

    def smooth_absolute_error(logits: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(widened(logits), inside(target), reduction="none").mean(1)

    return smooth_absolute_error


def bounded_cross_entropy(inside: Inside) -> ValueLoss:
    """Return sigmoid cross entropy to targets in 0..1, less what the targets cost who knows them.

    So 0 is perfect; the gradient is that of the cross entropy. Helps where targets have ends, such
    as scores of 1 to 100.
    """

    def bounded_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        share = inside(target)
        least = -torch.special.xlogy(share, share) - torch.special.xlogy(1 - share, 1 - share)
        values = F.binary_cross_entropy_with_logits(widened(logits), share, reduction="none")
        return (values - least).mean(1)

    return bounded_cross_entropy


def auxiliary_classes(logits: Tensor, shares: Tensor) -> Tensor:
    """Return softmax cross entropy of `(N, K)` logits and shares; 0 where no class is known."""
    return -(shares * widened(logits).log_softmax(1)).sum(1)


def auxiliary_number(inside: Inside) -> ValueLoss:
    """Return squared error of `(N, 1)` logits; the target is `(N, 2)`: number, and 1 if known.

    A mixed sample knows a part: the number is then a sum over that part.
    """

    def auxiliary_number(logits: Tensor, target: Tensor) -> Tensor:
        value, known = target[:, :1], target[:, 1:]
        value = torch.where(known > 0, value / known.clamp_min(1e-6), 0)
        return (known * (widened(logits) - inside(value)).square())[:, 0]

    return auxiliary_number
