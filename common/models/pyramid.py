"""A timm network as the lower half of a detector: maps of several strides with equal channels."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from common.errors import KitError
from common.models.create import create_network


class Pyramid(nn.Module):
    """Map `(N, 3, H, W)` to L maps `(N, out_channels, H / stride, W / stride)`, finest first.

    Feature pyramid network (Lin et al., 2017) over timm features; `levels` names the strides.

    Args:
        body: of `create_body`.
        out_channels: of every map.
        extra_levels: two more maps, of twice and four times the coarsest stride (P6 and P7).
    """

    def __init__(self, body: Any, out_channels: int, extra_levels: bool) -> None:
        super().__init__()
        channels, strides = body.feature_info.channels(), body.feature_info.reduction()
        extra = LastLevelP6P7(out_channels, out_channels) if extra_levels else None
        self.body = body
        self.fpn = FeaturePyramidNetwork(channels, out_channels, extra)
        self.out_channels = out_channels
        self.levels = [*strides, *((2 * strides[-1], 4 * strides[-1]) if extra_levels else ())]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the maps."""
        channels = self.body.feature_info.channels()
        found = (_channels_first(*pair) for pair in zip(self.body(image), channels, strict=True))
        maps = OrderedDict((str(place), value) for place, value in enumerate(found))
        return list(self.fpn(maps).values())


def create_body(name: str, strides: Sequence[int], arguments: Mapping[str, Any]) -> Any:
    """Return the timm network that gives features of these strides and nothing coarser.

    Raises:
        KitError: it has no such features (a plain vision transformer has one stride only).
    """
    try:
        probe = create_network(name, {**arguments, "features_only": True, "pretrained": False})
    except (RuntimeError, AttributeError, ValueError) as error:
        if isinstance(error, KitError):
            raise
        raise KitError(
            f"expected a network that can give features, '{name}' cannot: {error}; "
            "choose another model.name, such as resnet18 or convnext_tiny"
        ) from None
    found = probe.feature_info.reduction()
    if missing := [stride for stride in strides if stride not in found]:
        raise KitError(
            f"expected features of strides {list(strides)} from '{name}', it has {found}; choose "
            f"another model.name, or model.decoder_arguments.strides without {missing}"
        )
    # Of several maps of one stride the last has seen most.
    places = [len(found) - 1 - found[::-1].index(stride) for stride in strides]
    indices = [probe.feature_info.out_indices[place] for place in places]
    return create_network(name, {**arguments, "features_only": True, "out_indices": indices})


def _channels_first(value: Tensor, channels: int) -> Tensor:
    """Return `(N, C, H, W)`; timm's Swin gives its features as `(N, H, W, C)`."""
    return value if value.shape[1] == channels else value.permute(0, 3, 1, 2)
