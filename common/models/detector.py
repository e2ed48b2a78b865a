"""Detectors: torchvision's FCOS or RetinaNet on a timm network, dict in, dict out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOS
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet

from common import distributed
from common.config import Config
from common.errors import KitError, did_you_mean
from common.keys import BOXES, IMAGE, LABELS, LOSS_BOXES, LOSS_CENTRES, LOSS_CLASSES, SCORES
from common.models.detector_heads import POSITIVES, DetectorArguments, make_fcos, make_retinanet
from common.models.normalise import Normalise
from common.models.pyramid import Pyramid, create_body
from common.models.weights import weights_arguments

LOSSES = {
    "classification": LOSS_CLASSES,
    "bbox_regression": LOSS_BOXES,
    "bbox_ctrness": LOSS_CENTRES,
}
MOMENTUM = 0.1  # share of a batch in the running mean of positive places
MAKERS: dict[str, Callable[[Pyramid, int, DetectorArguments], FCOS | RetinaNet]] = {
    "fcos": make_fcos,
    "retinanet": make_retinanet,
}


class Detector(nn.Module):
    """A detector with its own normalisation and a loss per picture, in eval mode as well.

    Takes a batch with `IMAGE` `(N, 3, H, W)` in 0..255. With `BOXES` and `LABELS` in it, the
    losses `(N,)` float32 of each picture come out: `LOSS_CLASSES`, `LOSS_BOXES` and, for FCOS,
    `LOSS_CENTRES`. In eval mode also `BOXES`, `LABELS` and `SCORES`, lists of N, most certain
    first.

    Losses are sums over a picture's places, divided by the running mean over training pictures of
    how many places learn a box (as in detectron2's RetinaNet): one measure in both modes, which
    depends on no other picture of the batch. Divided by its own number, a picture without a
    box would weigh as much as hundreds, and little is learnt beside it.

    Args:
        network: torchvision's detector; only its parts are called, for it would resize and
            normalise by itself, and give no loss in eval mode.
    """

    positives: Tensor

    def __init__(self, network: FCOS | RetinaNet, preprocessing: Mapping[str, Any]) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing["mean"], preprocessing["std"])
        self.network = network
        self.preprocessing = dict(preprocessing)
        self.channels_last = False
        self.register_buffer("positives", torch.zeros(()))  # 0: nothing learnt yet

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
        found: list[dict[str, Tensor]] = []
        for place, (boxes, labels) in enumerate(zip(batch[BOXES], batch[LABELS], strict=True)):
            target = {"boxes": boxes.to(anchors), "labels": labels.to(anchors.device)}
            own = {name: value[place : place + 1] for name, value in raw.items()}
            found.append(self.network.compute_loss([target], own, [anchors], *rest))
        columns = {name: torch.stack([loss[name] for loss in found]) for name in found[0]}
        own_positives = columns.pop(POSITIVES).float()
        scale = own_positives.clamp(min=1) / self._normaliser(own_positives)
        return {LOSSES[name]: values * scale for name, values in columns.items()}

    def _normaliser(self, own_positives: Tensor) -> Tensor:
        """Return what sums are divided by; a picture's own number before the first training."""
        if self.training:
            mean = distributed.mean(own_positives)
            running = torch.lerp(self.positives, mean, MOMENTUM)
            self.positives.copy_(torch.where(self.positives > 0, running, mean))
        return torch.where(self.positives > 0, self.positives, own_positives).clamp(min=1)

    def _detections(
        self, image: Tensor, raw: Mapping[str, Tensor], anchors: Tensor, counts: list[int]
    ) -> dict[str, list[Tensor]]:
        shapes = [(image.shape[-2], image.shape[-1])] * len(image)
        levels = {name: list(value.detach().split(counts, 1)) for name, value in raw.items()}
        own = [list(anchors.split(counts))] * len(image)
        found = self.network.postprocess_detections(levels, own, shapes)
        return {key: [one[key] for one in found] for key in (BOXES, LABELS, SCORES)}


def make_detector(config: Config, load_weights: bool = True) -> Detector:
    """Return the detector that `config.model` names, `fcos` if it names none.

    Args:
        load_weights: False when a checkpoint is loaded right after, so that nothing is fetched.
    """
    values = config.model
    kind = values.decoder or "fcos"
    if kind not in MAKERS:
        raise KitError(f"unknown model.decoder '{kind}'; {did_you_mean(kind, MAKERS)}")
    arguments = DetectorArguments().model_copy(update=values.decoder_arguments)
    weights = weights_arguments(values.name, values.weights if load_weights else "none")
    body = create_body(values.name, arguments.strides, {**values.arguments, **weights})
    data = timm.data.resolve_data_config({}, model=body)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    pyramid = Pyramid(body, arguments.fpn_channels, arguments.extra_levels)
    network = MAKERS[kind](pyramid, len(config.classes), arguments)
    model = Detector(network, {**preprocessing, "img_size": config.data.img_size})
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model


def _places(raw: Mapping[str, Tensor], maps: Sequence[Tensor]) -> list[int]:
    """Return the number of anchors of every map."""
    cells = [value.shape[-2] * value.shape[-1] for value in maps]
    per_cell = raw["cls_logits"].shape[1] // sum(cells)
    return [count * per_cell for count in cells]
