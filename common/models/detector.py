"""Detectors: torchvision's FCOS or RetinaNet on a timm network, dict in, dict out."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import timm
import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead

from common.config import Config, Values
from common.errors import KitError, did_you_mean
from common.keys import BOXES, IMAGE, LABELS, LOSS_BOXES, LOSS_CENTRES, LOSS_CLASSES, SCORES
from common.models.normalise import Normalise
from common.models.pyramid import Pyramid, create_body
from common.models.weights import weights_arguments

LOSSES = {
    "classification": LOSS_CLASSES,
    "bbox_regression": LOSS_BOXES,
    "bbox_ctrness": LOSS_CENTRES,
}


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


class Detector(nn.Module):
    """A detector with its own normalisation and a loss per picture, in eval mode as well.

    Takes a batch with `IMAGE` `(N, 3, H, W)` in 0..255. With `BOXES` and `LABELS` in it, the
    losses `(N,)` float32 of each picture come out, divided by its own number of positive places:
    `LOSS_CLASSES`, `LOSS_BOXES` and, for FCOS, `LOSS_CENTRES`. In eval mode also `BOXES`,
    `LABELS` and `SCORES`, lists of N, most certain first.

    Args:
        network: torchvision's detector; only its parts are called, for it would resize and
            normalise by itself, and give no loss in eval mode.
    """

    def __init__(self, network: FCOS | RetinaNet, preprocessing: Mapping[str, Any]) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing["mean"], preprocessing["std"])
        self.network = network
        self.preprocessing = dict(preprocessing)
        self.channels_last = False

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs by name."""
        if self.training and BOXES not in batch:
            raise KitError("expected boxes in a batch to train on; call eval() to predict")
        image = self.normalise(batch[IMAGE])
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        maps = self.network.backbone(image)
        raw = self.network.head(maps)
        outputs: dict[str, Any] = {}
        # Half precision would overflow in the losses and round the boxes to several pixels.
        with torch.autocast(image.device.type, enabled=False):
            raw = {name: value.float() for name, value in raw.items()}
            anchors = self._anchors(image, maps)
            counts = _places(raw, maps)
            if BOXES in batch:
                outputs.update(self._losses(batch, raw, anchors, counts))
            if not self.training:
                outputs.update(self._detections(image, raw, anchors, counts))
        return outputs

    def groups(self) -> list[list[nn.Parameter]]:
        """Return parameters from input to output: the timm network, pyramid and heads."""
        body = list(self.network.backbone.body.parameters())
        known = {id(parameter) for parameter in body}
        return [body, [p for p in self.parameters() if id(p) not in known]]

    def _anchors(self, image: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return `(P, 4)` float32 anchors, alike for all pictures."""
        shapes = [value[:1, :1].float() for value in maps]
        sizes = ImageList(image, [(image.shape[-2], image.shape[-1])])
        return self.network.anchor_generator(sizes, shapes)[0]

    def _losses(
        self,
        batch: Mapping[str, Any],
        raw: Mapping[str, Tensor],
        anchors: Tensor,
        counts: list[int],
    ) -> dict[str, Tensor]:
        rest = (counts,) if isinstance(self.network, FCOS) else ()
        found = []
        for place, (boxes, labels) in enumerate(zip(batch[BOXES], batch[LABELS], strict=True)):
            target = {"boxes": boxes.to(anchors), "labels": labels.to(anchors.device)}
            own = {name: value[place : place + 1] for name, value in raw.items()}
            found.append(self.network.compute_loss([target], own, [anchors], *rest))
        return {LOSSES[name]: torch.stack([loss[name] for loss in found]) for name in found[0]}

    def _detections(
        self, image: Tensor, raw: Mapping[str, Tensor], anchors: Tensor, counts: list[int]
    ) -> dict[str, list[Tensor]]:
        num_images, shape = len(image), (image.shape[-2], image.shape[-1])
        levels = {name: list(value.detach().split(counts, 1)) for name, value in raw.items()}
        own = list(anchors.split(counts))
        found = self.network.postprocess_detections(
            levels, [own] * num_images, [shape] * num_images
        )
        return {key: [one[key] for one in found] for key in (BOXES, LABELS, SCORES)}


def make_detector(config: Config, load_weights: bool = True) -> Detector:
    """Return the detector that `config.model` names, `fcos` if it names none.

    Args:
        load_weights: False when a checkpoint is loaded right after, so that nothing is fetched.
    """
    values = config.model
    makers = {"fcos": _fcos, "retinanet": _retinanet}
    kind = values.decoder or "fcos"
    if kind not in makers:
        raise KitError(f"unknown model.decoder '{kind}'; {did_you_mean(kind, makers)}")
    arguments = DetectorArguments().model_copy(update=values.decoder_arguments)
    weights = weights_arguments(values.name, values.weights if load_weights else "none")
    body = create_body(values.name, arguments.strides, {**values.arguments, **weights})
    data = timm.data.resolve_data_config({}, model=body)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    pyramid = Pyramid(body, arguments.fpn_channels, arguments.extra_levels)
    network = makers[kind](pyramid, len(config.classes), arguments)
    model = Detector(network, {**preprocessing, "img_size": config.data.img_size})
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model


def _fcos(pyramid: Pyramid, num_classes: int, arguments: DetectorArguments) -> FCOS:
    head = FCOSHead(arguments.fpn_channels, 1, num_classes, arguments.num_convs)
    # A positive start: torchvision's zero, behind a ReLU, leaves half of the sides without slope.
    nn.init.ones_(head.regression_head.bbox_reg.bias)
    return FCOS(
        pyramid,
        num_classes,
        anchor_generator=AnchorGenerator(
            tuple((stride,) for stride in pyramid.levels), ((1.0,),) * len(pyramid.levels)
        ),
        head=head,
        center_sampling_radius=arguments.centre_radius,
        **_limits(arguments),
    )


def _retinanet(pyramid: Pyramid, num_classes: int, arguments: DetectorArguments) -> RetinaNet:
    bases = [stride * arguments.anchor_scale for stride in pyramid.levels]
    sizes = tuple((base, base * 2 ** (1 / 3), base * 2 ** (2 / 3)) for base in bases)
    # Normalised as in torchvision's second version; without it little is learnt from scratch.
    norm = partial(nn.GroupNorm, 32)
    head = RetinaNetHead(arguments.fpn_channels, 9, num_classes, norm_layer=norm)
    for part in (head.classification_head, head.regression_head):
        part.conv = part.conv[: arguments.num_convs]
    anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return RetinaNet(
        pyramid, num_classes, anchor_generator=anchors, head=head, **_limits(arguments)
    )


def _limits(arguments: DetectorArguments) -> dict[str, Any]:
    names = ("score_thresh", "nms_thresh", "detections_per_img", "topk_candidates")
    return {name: getattr(arguments, name) for name in names}


def _places(raw: Mapping[str, Tensor], maps: Sequence[Tensor]) -> list[int]:
    """Return the number of anchors of every map."""
    cells = [value.shape[-2] * value.shape[-1] for value in maps]
    per_cell = raw["cls_logits"].shape[1] // sum(cells)
    return [count * per_cell for count in cells]
