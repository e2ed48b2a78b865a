"""Turning uint8 pixels into what the pretrained weights saw, on the device, inside the model."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Map `(N, 3, H, W)` pixels in 0..255 to `(x / 255 - mean) / std`.

    Part of the model, so that no kernel can forget it. uint8 input is converted to a tensor of our
    own and changed in place (a third of the time of the usual expression); float input is kept.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Known from the checkpoint's config, hence not part of the weights.
        self.register_buffer("mean", _column(mean) * 255, persistent=False)
        self.register_buffer("scale", 1 / (_column(std) * 255), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return a float32 tensor of the same shape."""
        if image.dtype == torch.uint8:
            return image.to(torch.float32).sub_(self.mean).mul_(self.scale)
        return (image - self.mean) * self.scale


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
