"""Generalised-mean pooling in place of a timm network's mean over places."""

from typing import Any

import torch
from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from common.errors import KitError

SMALLEST = 1e-6  # activation; a power of what is negative is no number


class GeM(nn.Module):
    """Mean of powers, `mean(x ** p) ** (1 / p)`, with a learnt p (Radenović et al. 2018).

    Helps where a small thing decides: p = 1 is the mean, a large p the maximum. Computed in
    float32, for powers overflow half precision.

    Args:
        dim: axes of places.
        keepdim: keep them, of length 1.
        p: at the start.
    """

    def __init__(self, dim: tuple[int, ...], keepdim: bool, p: float = 3.0) -> None:
        super().__init__()
        self.dim, self.keepdim = dim, keepdim
        self.p = nn.Parameter(torch.full((1,), p))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(N, D)`, or with axes of places of length 1."""
        with torch.autocast(x.device.type, enabled=False):
            power = self.p.float()
            mean = x.float().clamp_min(SMALLEST).pow(power).mean(self.dim, self.keepdim)
            return mean.pow(1 / power).to(x.dtype)


def use_gem(body: Any) -> None:
    """Let a timm network that takes the mean over places take the generalised mean.

    Raises:
        KitError: it pools otherwise, as vision transformers do.
    """
    pools: list[Any] = [part for part in body.modules() if isinstance(part, SelectAdaptivePool2d)]
    means = [part for part in pools if part.pool_type in ("avg", "fast", "fastavg")]
    if not means:
        raise KitError(
            f"expected a network with a mean over places for model.pool=gem, got "
            f"{type(body).__name__}, which pools otherwise; set model.pool=avg or take it out"
        )
    for part in means:
        fast = hasattr(part.pool, "dim")  # timm's own, which may flatten; else torch's, which keeps
        dim = tuple(part.pool.dim) if fast else (2, 3)
        part.pool = GeM(dim, keepdim=not (fast and part.pool.flatten))
