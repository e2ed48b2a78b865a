"""Classification losses that give one value per sample, `(N,)`; all start from logits `(N, C)`.

The target is `(N,)` classes or `(N, C)` shares for a softmax, `(N, C)` shares for sigmoids. What is
computed in half precision elsewhere is float32 here, see `common.losses.terms`.

Class weights are `(C,)` for a softmax, and `(2, C)` for sigmoids: of no, then of yes.
"""

from collections.abc import Callable
from functools import wraps

import torch
import torch.nn.functional as F
from torch import Tensor

from common.losses.safe import floor_of, widened

ClassLoss = Callable[[Tensor, Tensor], Tensor]
CLIP = 0.05  # probability below which an absent class costs nothing (Ridnik et al. 2021)


def cross_entropy(label_smoothing: float = 0.0, weights: Tensor | None = None) -> ClassLoss:
    """Return softmax cross entropy over `(N, C)` logits and `(N,)` classes or `(N, C)` shares."""

    def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            logits,
            target,
            _beside(weights, logits),
            None,
            reduction="none",
            label_smoothing=label_smoothing,
        )

    return _named(cross_entropy, weights)


def binary_cross_entropy(label_smoothing: float = 0.0, weights: Tensor | None = None) -> ClassLoss:
    """Return sigmoid cross entropy, mean over classes, of `(N, C)` logits and `(N, C)` targets."""

    def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        smooth = target * (1 - label_smoothing) + 0.5 * label_smoothing
        if weights is None:
            values = F.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
        else:
            yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
            values = _both(-smooth * yes, -(1 - smooth) * no, weights)
        return values.mean(1)

    return _named(binary_cross_entropy, weights)


def focal(gamma: float = 2.0, multilabel: bool = False, weights: Tensor | None = None) -> ClassLoss:
    """Return focal loss (Lin et al. 2017): helps where easy samples drown the few hard ones.

    Args:
        gamma: 0 gives cross entropy; more forgives more of what is nearly right.
        multilabel: a sigmoid for each class, mean over classes; else one softmax.
        weights: of classes.
    """

    def focal(logits: Tensor, target: Tensor) -> Tensor:
        logits = widened(logits)
        if multilabel:
            yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
            hit, spared = (gamma * no).exp() * yes, (gamma * yes).exp() * no
            return _both(-target * hit, -(1 - target) * spared, weights).mean(1)
        log_probs = logits.log_softmax(1)
        # not 1 - p, which is 0 for a p near 1; the floor bounds the slope for a gamma below 1
        missed = (-log_probs.expm1()).clamp_min(floor_of(log_probs.dtype)) ** gamma
        shares = F.one_hot(target, logits.shape[1]) if target.ndim == 1 else target
        values = -shares * missed * log_probs
        return (values if weights is None else values * _beside(weights, values)).sum(1)

    return focal


def asymmetric(
    gamma_no: float = 4.0,
    gamma_yes: float = 1.0,
    clip: float = CLIP,
    weights: Tensor | None = None,
) -> ClassLoss:
    """Return asymmetric loss (Ridnik et al. 2021): helps where most of many labels are absent.

    As timm's AsymmetricLossMultiLabel, divided by C; but from log-sigmoids, so that a sure mistake
    keeps its slope, and a value per sample, which timm's gives in its newest versions alone.

    Args:
        gamma_no: of absent classes; more forgives more of what is nearly right.
        gamma_yes: the same of present classes.
        clip: what an absent class may have of probability for nothing; it also forgives an absent
            class that the network is all but sure of, which often is a missing label.
        weights: of classes.
    """

    def asymmetric(logits: Tensor, target: Tensor) -> Tensor:
        logits = widened(logits)
        yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
        hit = (gamma_yes * no).exp() * yes
        wrong = (yes.exp() - clip).clamp_min(floor_of(logits.dtype))  # bounds slopes, gamma < 1
        spared = wrong**gamma_no * ((no.exp() + clip).clamp_max(1).log() if clip else no)
        return _both(-target * hit, -(1 - target) * spared, weights).mean(1)

    return asymmetric


def over_masks(loss: ClassLoss) -> ClassLoss:
    """Return the mean of a loss over the M of `(N, M, C)` logits (multi-sample dropout)."""

    @wraps(loss)
    def over_masks(logits: Tensor, target: Tensor) -> Tensor:
        return torch.stack([loss(part, target) for part in logits.unbind(1)]).mean(0)

    return over_masks


def _both(yes: Tensor, no: Tensor, weights: Tensor | None) -> Tensor:
    """Return `(N, C)` sums of what present and absent classes cost."""
    if weights is None:
        return yes + no
    of_no, of_yes = _beside(weights, yes)
    return of_yes * yes + of_no * no


def _beside(weights: Tensor | None, values: Tensor) -> Tensor:
    """Return the weights where the values are; None stays None."""
    return weights if weights is None else weights.to(values)  # type: ignore[return-value]


def _named(function: ClassLoss, weights: Tensor | None) -> ClassLoss:
    """Tell a weighted loss from the plain one, whose value before training is known."""
    if weights is not None:
        function.__name__ = f"weighted_{function.__name__}"
    return function
