"""torchvision's detectors as parts: what `model.decoder_arguments` says, on a pyramid of maps."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import Field
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead

from common.config import Values
from common.models.pyramid import Pyramid

POSITIVES = "positives"  # among the losses of a picture: how many places learn a box


class DetectorArguments(Values):
    """What `model.decoder_arguments` may hold; the layers are torchvision's by default."""

    fpn_channels: int = Field(256, ge=64, multiple_of=32)  # 32 groups of two or more
    num_convs: int = Field(4, ge=1)  # of 3 x 3 pixels, before each output of the head
    strides: tuple[int, ...] = Field((8, 16, 32), min_length=1)  # of the network's maps
    extra_levels: bool = True  # two coarser maps, for objects that fill a large picture
    centre_radius: float = Field(1.5, gt=0)  # FCOS: strides around a centre that learn the box
    anchor_scale: float = Field(4.0, gt=0)  # RetinaNet: smallest anchor's side / stride
    score_thresh: float = Field(0.05, ge=0, lt=1)  # low: what is kept is tuned on the scores
    nms_thresh: float = Field(0.5, gt=0, le=1)  # IoU above which the less certain box goes
    detections_per_img: int = Field(300, ge=1)  # most boxes of one picture
    topk_candidates: int = Field(1000, ge=1)  # most boxes of one map before suppression


class CountingFCOSHead(FCOSHead):
    """FCOS's head, whose losses also tell how many places are positive."""

    def compute_loss(self, *arguments: Any) -> dict[str, Tensor]:
        """Return the losses of one picture, divided by at least 1 POSITIVES, and POSITIVES."""
        return {**super().compute_loss(*arguments), POSITIVES: _count(arguments[-1])}


class CountingRetinaNetHead(RetinaNetHead):
    """RetinaNet's head, whose losses also tell how many anchors are positive."""

    def compute_loss(self, *arguments: Any) -> dict[str, Tensor]:
        """Return the losses of one picture, divided by at least 1 POSITIVES, and POSITIVES."""
        return {**super().compute_loss(*arguments), POSITIVES: _count(arguments[-1])}


def make_fcos(pyramid: Pyramid, num_classes: int, arguments: DetectorArguments) -> FCOS:
    """Return the anchor-free detector (Tian et al., "FCOS", 2020)."""
    head = CountingFCOSHead(arguments.fpn_channels, 1, num_classes, arguments.num_convs)
    # A positive start: torchvision's zero, behind a ReLU, leaves half of the sides without slope.
    nn.init.ones_(head.regression_head.bbox_reg.bias)
    places = tuple((stride,) for stride in pyramid.levels)
    return FCOS(
        pyramid,
        num_classes,
        anchor_generator=AnchorGenerator(places, ((1.0,),) * len(places)),
        head=head,
        center_sampling_radius=arguments.centre_radius,
        **_limits(arguments),
    )


def make_retinanet(pyramid: Pyramid, num_classes: int, arguments: DetectorArguments) -> RetinaNet:
    """Return the detector with nine anchors per place (Lin et al., "Focal loss", 2017)."""
    bases = [stride * arguments.anchor_scale for stride in pyramid.levels]
    sizes = tuple((base, base * 2 ** (1 / 3), base * 2 ** (2 / 3)) for base in bases)
    # Normalised as in torchvision's second version; without it little is learnt from scratch.
    norm = partial(nn.GroupNorm, 32)
    head = CountingRetinaNetHead(arguments.fpn_channels, 9, num_classes, norm_layer=norm)
    for part in (head.classification_head, head.regression_head):
        part.conv = part.conv[: arguments.num_convs]
    return RetinaNet(
        pyramid,
        num_classes,
        anchor_generator=AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),
        head=head,
        **_limits(arguments),
    )


def _count(matched: Sequence[Tensor]) -> Tensor:
    """Return how many places learn a box; `matched` holds the box of each, below 0 for none."""
    return (matched[0] >= 0).sum()


def _limits(arguments: DetectorArguments) -> dict[str, Any]:
    names = ("score_thresh", "nms_thresh", "detections_per_img", "topk_candidates")
    return {name: getattr(arguments, name) for name in names}
