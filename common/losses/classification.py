"""Classification losses that give one value per sample; all start from logits."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(label_smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return softmax cross entropy over `(N, C)` logits and `(N,)` classes or `(N, C)` shares."""

    def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, target, reduction="none", label_smoothing=label_smoothing)

    return cross_entropy


def binary_cross_entropy(label_smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
    """Return sigmoid cross entropy, mean over classes, of `(N, C)` logits and `(N, C)` targets."""

    def binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        smooth = target * (1 - label_smoothing) + 0.5 * label_smoothing
        return F.binary_cross_entropy_with_logits(logits, smooth, reduction="none").mean(1)

    return binary_cross_entropy
