"""What a loss is before anything is learnt, where mathematics says so."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from common.keys import IGNORE, LOSS_CENTRES, LOSS_CLASSES
from common.losses.terms import LossTerm

PRIOR, ALPHA, GAMMA = 0.01, 0.25, 2.0  # of torchvision's dense detectors (Lin et al. 2017)
SLACK = 0.6
NUMBERS = {  # of a regression, known by their value where the mean is predicted always
    "squared_error": "the variance of the standardised target",
    **dict.fromkeys(
        ("absolute_error", "smooth_absolute_error", "bounded_cross_entropy", "auxiliary_number"),
        "that of always predicting the middle",
    ),
}
UNDECIDED = (  # known by their value at logits of 0
    *("focal", "asymmetric", "weighted_cross_entropy", "weighted_binary_cross_entropy"),
    *("dice", "jaccard", "lovasz", "auxiliary_classes"),
)


class Theory(NamedTuple):
    """A loss of a network that knows nothing, how it is called, and what is no wonder yet."""

    value: float
    words: str
    least: float  # a head whose bias knows how frequent the classes are starts here
    most: float  # random features take a fresh head so far: logits with a deviation of about 1


def theory_of(
    term: LossTerm, outputs: Mapping[str, Any], batch: Mapping[str, Any]
) -> Theory | None:
    """Return what a term's mean over the batch should be at the start; None if nobody knows."""
    name = getattr(term.function, "__name__", "")
    if term.output == LOSS_CLASSES:
        value = ALPHA * (1 - PRIOR) ** GAMMA * -math.log(PRIOR)
        return Theory(value, f"focal loss at its prior of {PRIOR:g}", 0.6 * value, value + SLACK)
    if term.output == LOSS_CENTRES:
        value = math.log(2)
        return Theory(value, "ln 2", 0.8 * value, value + SLACK)
    output, target = outputs[term.output], batch[term.target]
    if name in ("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_mask"):
        several = name == "cross_entropy" or (name.endswith("mask") and output.shape[1] > 1)
        count = output.shape[2 if output.ndim == 3 else 1] if several else 2  # (N, M, C), masks
        value = math.log(count)
        least = 0.85 * min(value, label_entropy(target, count, several))
        return Theory(value, f"ln {count}", least, value + SLACK)
    if name in (*UNDECIDED, *NUMBERS):
        value = float(term.function(torch.zeros_like(output), target).mean())
    if name in NUMBERS:  # logits with a deviation of 1 add 1 to a squared error
        return Theory(value, NUMBERS[name], 0.6 * value, value + 1 + SLACK)
    if name in UNDECIDED:
        return Theory(value, f"{name} at even odds", 0.6 * value, value + max(0.25, value / 2))
    return None


def label_entropy(target: Tensor, count: int, exclusive: bool) -> float:
    """Return nats by which labels surprise someone who knows how frequent each class is.

    Args:
        target: `(N,)` or `(N, H, W)` classes, or `(N, C)` shares.
        count: classes.
        exclusive: one class each; else the mean over columns of what yes and no surprise.
    """
    if not exclusive:
        known = target[target != IGNORE].float() if target.ndim == 3 else target.float()
        share = known.mean(0) if target.ndim == 2 else known.mean()
        return float((_part(share) + _part(1 - share)).mean())
    if target.is_floating_point():
        return float(_part(target.mean(0)).sum())
    counts = torch.bincount(target[target != IGNORE].flatten().long(), minlength=count)
    return float(_part(counts / counts.sum().clamp_min(1)).sum())


def floor_of(term: LossTerm, classes: int, smoothing: float) -> float:
    """Return the least that a term can be: labels that are smoothed cost even who knows them."""
    name = getattr(term.function, "__name__", "").removeprefix("arcface_")
    name = name.removeprefix("weighted_")  # by 1 in the mean
    if not smoothing or "cross_entropy" not in name:
        return 0.0
    if name == "cross_entropy" or (name.endswith("mask") and classes > 1):
        shares = torch.full((classes,), smoothing / classes)
        shares[0] += 1 - smoothing
    else:
        shares = torch.tensor([1 - smoothing / 2, smoothing / 2])
    return float(_part(shares).sum())


def _part(share: Tensor) -> Tensor:
    return -torch.special.xlogy(share, share)
