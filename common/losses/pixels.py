"""A batch of masks as rows of pixels, the one place that knows what shapes a mask loss takes."""

from typing import NamedTuple

import torch
from torch import Tensor

from common.errors import KitError
from common.losses.safe import safe_divide, widened


class Pixels(NamedTuple):
    """A batch with its P pixels in a row; where `valid` is 0, logits and target are 0."""

    logits: Tensor  # (N, C, P) float
    target: Tensor  # (N, C, P) shares, as float
    valid: Tensor  # (N, C, P) 0 or 1, as float
    exclusive: bool  # softmax over C, or a sigmoid each

    @property
    def probs(self) -> Tensor:
        """Return (N, C, P) probabilities, 0 where nothing is valid."""
        probs = self.logits.softmax(1) if self.exclusive else self.logits.sigmoid()
        return probs * self.valid

    def mean(self, values: Tensor) -> Tensor:
        """Return the (N,) mean of (N, C, P) values over what is valid."""
        return safe_divide((values * self.valid).sum((1, 2)), self.valid.sum((1, 2)))


def flatten(logits: Tensor, target: Tensor, ignore: float | None) -> Pixels:
    """Return the pixels of a batch, or raise a KitError if the shapes do not fit."""
    num_classes = logits.shape[1] if logits.ndim == 4 else 0
    exclusive = target.ndim == 3 and num_classes > 1
    if target.ndim == 3:
        target = target[:, None]
    expected = (len(logits), 1 if exclusive else num_classes, *logits.shape[2:])
    if logits.ndim != 4 or target.shape != expected or (exclusive and target.is_floating_point()):
        raise KitError(
            f"expected logits (N, C, H, W) and a target (N, H, W), of integers for C > 1, or "
            f"(N, C, H, W), got {tuple(logits.shape)} and {tuple(target.shape)} {target.dtype}; "
            "an output of another size needs downsampled(loss)"
        )
    logits = widened(logits).flatten(2)
    target = target.flatten(2)
    valid = torch.ones_like(target, dtype=torch.bool) if ignore is None else target != ignore
    if exclusive:
        target = target == torch.arange(num_classes, device=target.device)[:, None]
    valid = valid.expand_as(logits)
    logits, target = logits.masked_fill(~valid, 0), target.to(logits.dtype).masked_fill(~valid, 0)
    return Pixels(logits, target, valid.to(logits.dtype), exclusive)
