"""Segmentation networks: smp's decoders on timm's encoders, dict in, dict out."""

import inspect
from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.config import Config, ModelConfig
from common.errors import KitError, did_you_mean
from common.keys import (
    IMAGE,
    MASK_LOGITS,
    MASK_LOGITS_STRIDE_4,
    MASK_LOGITS_STRIDE_8,
    MASK_LOGITS_STRIDE_16,
    MASK_LOGITS_STRIDE_32,
)
from common.models.create import create_network
from common.models.normalise import Normalise
from common.models.weights import weights_arguments

STRIDES = {
    4: MASK_LOGITS_STRIDE_4,
    8: MASK_LOGITS_STRIDE_8,
    16: MASK_LOGITS_STRIDE_16,
    32: MASK_LOGITS_STRIDE_32,
}
MULTIPLE = 32  # sides that every decoder takes
# dpt wants a plain vision transformer's tokens, which differ from features of several strides.
DECODERS = {name: kind for name, kind in smp.MODEL_ARCHITECTURES_MAPPING.items() if name != "dpt"}


class Segmenter(nn.Module):
    """An encoder, a decoder and a head with their own normalisation.

    Takes a batch with `IMAGE` `(N, 3, H, W)` in 0..255, of any size; returns `MASK_LOGITS`
    `(N, C, H, W)` and, for each of `strides`, `(N, C, H / stride, W / stride)`: a 1 x 1 convolution
    on the decoder's feature of that stride, or the encoder's where the decoder has none (Lee et
    al., "Deeply-supervised nets", 2015).
    """

    def __init__(
        self,
        net: Any,
        num_classes: int,
        preprocessing: Mapping[str, Any],
        strides: tuple[int, ...] = (),
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing["mean"], preprocessing["std"])
        self.net, self.dropout = net, nn.Dropout2d(drop_rate)
        self.preprocessing = dict(preprocessing)
        self.channels_last = False
        self.heads, self._stages = nn.ModuleDict(), list[Tensor]()
        if strides:
            for block in _blocks(net.decoder):
                block.register_forward_hook(self._keep)
            found = self._channels(preprocessing["img_size"] or 2 * MULTIPLE)
            for stride in strides:
                if stride not in found:
                    raise KitError(
                        f"expected model.strides of {sorted(found)}, which this decoder has, got "
                        f"{stride}; leave it out or take model.decoder=unet"
                    )
                self.heads[str(stride)] = nn.Conv2d(found[stride], num_classes, 1)

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        image = self.normalise(batch[IMAGE])
        height, width = image.shape[-2:]
        image = pad_to_multiple(image, MULTIPLE)
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        decoded, features = self._run(image)
        logits = self.net.segmentation_head(self.dropout(decoded))
        outputs = {MASK_LOGITS: logits[..., :height, :width]}
        for name, head in self.heads.items():
            stride = int(name)
            coarse = head(features[stride])
            outputs[STRIDES[stride]] = coarse[..., : -(-height // stride), : -(-width // stride)]
        return outputs

    def groups(self) -> list[list[nn.Parameter]]:
        """Return parameters from input to output: encoder, all the rest; the first can freeze."""
        body = list(self.net.encoder.parameters())
        known = {id(parameter) for parameter in body}
        return [body, [parameter for parameter in self.parameters() if id(parameter) not in known]]

    def _run(self, image: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """Return what the head reads, and `(N, D, H / stride, W / stride)` for each stride."""
        encoded = self.net.encoder(image)
        decoded = self.net.decoder(encoded)
        parts, self._stages = [*encoded, *self._stages], []  # of one stride, the decoder's
        return decoded, {image.shape[-1] // part.shape[-1]: part for part in parts}

    def _keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._stages.append(output)

    @torch.no_grad()
    def _channels(self, size: int) -> dict[int, int]:
        """Return how many channels the feature of each stride has."""
        training = self.training
        self.eval()
        image = pad_to_multiple(torch.zeros(1, 3, size, size), MULTIPLE)
        _, features = self._run(image)
        self.train(training)
        return {stride: part.shape[1] for stride, part in features.items() if stride in STRIDES}


def make_segmenter(config: Config, load_weights: bool = True) -> Segmenter:
    """Return the network that `config.model` names.

    Args:
        load_weights: False when a checkpoint is loaded right after, so that nothing is fetched.
    """
    values, num_classes = config.model, len(config.classes)
    net = _create(values.name, values.decoder or "unet", num_classes, values)
    encoder = net.encoder.model
    weights = weights_arguments(values.name, values.weights if load_weights else "none")
    if weights["pretrained"]:
        wanted = {"features_only": True, "out_indices": encoder.feature_info.out_indices}
        trained = create_network(values.name, {**wanted, **values.arguments, **weights})
        encoder.load_state_dict(trained.state_dict())
    data = timm.data.resolve_data_config({}, model=encoder)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    preprocessing["img_size"] = config.data.img_size
    model = Segmenter(net, num_classes, preprocessing, values.strides, values.drop_rate)
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model


def mask_probabilities(outputs: Mapping[str, Any]) -> Tensor:
    """Return `(N, H, W)` float32 probabilities of one class, `(N, C, H, W)` of several."""
    logits = outputs[MASK_LOGITS].float()
    return logits[:, 0].sigmoid() if logits.shape[1] == 1 else logits.softmax(1)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Return `(N, C, H, W)` with its last rows and columns repeated to multiples of a number."""
    height, width = image.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image


def _create(name: str, decoder: str, num_classes: int, values: ModelConfig) -> Any:
    """Return smp's model with random weights."""
    if not timm.is_model(name):
        raise KitError(f"unknown model.name '{name}'; {did_you_mean(name, timm.list_models())}")
    if decoder not in DECODERS:
        hint = did_you_mean(decoder, DECODERS)
        raise KitError(f"unknown model.decoder '{decoder}' of segmentation; {hint}")
    known = inspect.signature(DECODERS[decoder].__init__).parameters
    for key in values.decoder_arguments:
        if key not in known:
            hint = did_you_mean(key, known)
            raise KitError(f"unknown key '{key}' in model.decoder_arguments of {decoder}; {hint}")
    try:
        return DECODERS[decoder](
            f"tu-{name}",
            encoder_weights=None,
            classes=num_classes,
            **values.decoder_arguments,
            **values.arguments,
        )
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        raise KitError(
            f"expected an encoder with features of strides 4, 8, 16 and 32 that {decoder} takes, "
            f"{name} failed with: {error}; take another model.name, such as resnet34, or mend "
            "model.arguments and model.decoder_arguments"
        ) from error


def _blocks(decoder: nn.Module) -> list[nn.Module]:
    """Return the decoder's stages whose outputs double in size; few decoders are made so."""
    blocks = getattr(decoder, "blocks", None)
    return list(blocks) if isinstance(blocks, nn.ModuleList) else []
