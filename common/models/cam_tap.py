"""Where a network's last spatial features are taken from, for `common.models.cam`."""

from math import isqrt
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from common.errors import KitError
from common.models.classifier import Classifier
from common.models.detector import Detector
from common.models.segmenter import Segmenter

FEWEST = 4  # places; a map of one place says nothing


class NoMap(KitError):
    """The network has no features that lie in a plane."""


class Tap:
    """While open, a forward pass starts its graph at the last spatial features and keeps them.

    `features`: of a classifier what its head reads, of a segmenter the encoder's deepest, of a
    detector every map of the pyramid. A vision transformer whose head reads the class token alone
    is tapped before the last block, behind which the other tokens reach no output.
    `raw`: of a detector what its head says of every place.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.features: list[Tensor] = []
        self.raw: dict[str, Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> "Tap":
        model = self.model
        if isinstance(model, Classifier):
            block = _last_block(model.body)
            self._hooks = (
                [model.features.register_forward_hook(self._at_output)]
                if block is None
                else [block.register_forward_pre_hook(self._at_input)]
            )
        elif isinstance(model, Segmenter):
            self._hooks = [model.net.encoder.register_forward_hook(self._at_deepest)]
        elif isinstance(model, Detector):
            self._hooks = [
                model.network.backbone.register_forward_hook(self._at_pyramid),
                model.network.head.register_forward_hook(self._keep_raw),
            ]
        else:
            raise NoMap(f"expected a model of the kit, got {type(model).__name__}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def plane(self, product: Tensor) -> Tensor:
        """Return the sum over channels of values that lie as the features do, `(N, h, w)`."""
        if not isinstance(self.model, Classifier):
            return product.sum(1)
        body = self.model.body
        if product.ndim == 3:
            tokens = product.sum(2)
            height, width = token_grid(body, tokens.shape[1])
            tokens = tokens[:, tokens.shape[1] - height * width :]
            return tokens.reshape(-1, height, width)
        if product.ndim != 4:
            raise NoMap(f"expected features of 3 or 4 axes, got {tuple(product.shape)}")
        last = product.shape[3] == body.num_features != product.shape[1]  # as Swin has them
        plane = product.sum(3 if last else 1)
        if plane[0].numel() < FEWEST:
            raise NoMap(f"expected {FEWEST} places or more, got {plane[0].numel()}")
        return plane

    def _cut(self, feature: Any) -> Tensor:
        if not isinstance(feature, Tensor):
            raise NoMap(f"expected one tensor of features, got {type(feature).__name__}")
        leaf = feature.detach().requires_grad_()
        self.features.append(leaf)
        torch.set_grad_enabled(True)
        return leaf.clone()  # the next layer may work in place, which a leaf does not allow

    def _at_output(self, module: nn.Module, inputs: Any, output: Any) -> Tensor:
        return self._cut(output)

    def _at_input(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._cut(inputs[0]), *inputs[1:]

    def _at_deepest(self, module: nn.Module, inputs: Any, output: list[Tensor]) -> list[Tensor]:
        return [*output[:-1], self._cut(output[-1])]

    def _at_pyramid(self, module: nn.Module, inputs: Any, output: list[Tensor]) -> list[Tensor]:
        return [self._cut(feature) for feature in output]

    def _keep_raw(self, module: nn.Module, inputs: Any, output: dict[str, Tensor]) -> None:
        self.raw = output


def token_grid(body: Any, count: int) -> tuple[int, int]:
    """Return rows and columns of a transformer's `count` tokens, without those ahead of them.

    Raises:
        NoMap: they fill neither the grid of its patches nor a square.
    """
    ahead = int(getattr(body, "num_prefix_tokens", 0) or 0)
    grid = getattr(getattr(body, "patch_embed", None), "grid_size", None) or (0, 0)
    for places in dict.fromkeys((count, count - ahead)):
        height, width = (int(grid[0]), int(grid[1]))
        if height * width != places:
            height = width = isqrt(max(places, 0))
        if height * width == places >= FEWEST:
            return height, width
    raise NoMap(f"expected tokens in a square, got {count}, {ahead} of them ahead of the picture's")


def _last_block(body: Any) -> nn.Module | None:
    """Return the last block of a transformer whose head reads the class token alone."""
    blocks = getattr(body, "blocks", None)
    if getattr(body, "global_pool", None) != "token" or not isinstance(
        blocks, nn.Sequential | nn.ModuleList
    ):
        return None
    return blocks[-1]
