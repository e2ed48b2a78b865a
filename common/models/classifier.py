"""Image classifiers from timm, dict in, dict out."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from common.config import Config
from common.errors import KitError, did_you_mean
from common.keys import EMBEDDING, IMAGE, LOGITS
from common.models.normalise import Normalise
from common.models.weights import weights_arguments


class Classifier(nn.Module):
    """A timm network with its own normalisation.

    Takes a batch with `IMAGE` `(N, 3, H, W)` in 0..255; returns `LOGITS` `(N, C)` and `EMBEDDING`
    `(N, D)`, the pooled features before the classifier.
    """

    def __init__(self, body: Any, preprocessing: Mapping[str, Any]) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing["mean"], preprocessing["std"])
        self.body = body
        self.preprocessing = dict(preprocessing)
        self.channels_last = False

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        image = self.normalise(batch[IMAGE])
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        embedding = self.body.forward_head(self.body.forward_features(image), pre_logits=True)
        return {LOGITS: self.body.get_classifier()(embedding), EMBEDDING: embedding}

    def groups(self) -> list[list[nn.Parameter]]:
        """Return parameters from input to output: body, head; the body can be frozen."""
        head = list(self.body.get_classifier().parameters())
        known = {id(parameter) for parameter in head}
        body = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return [body, head]


def make_classifier(config: Config, load_weights: bool = True) -> Classifier:
    """Return the network that `config.model` names.

    Args:
        load_weights: False when a checkpoint is loaded right after, so that nothing is fetched.
    """
    values = config.model
    weights = weights_arguments(values.name, values.weights if load_weights else "none")
    arguments = {"num_classes": len(config.classes), "drop_rate": values.drop_rate}
    body = _create(values.name, {**arguments, **values.arguments, **weights})
    data = timm.data.resolve_data_config({}, model=body)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    model = Classifier(body, {**preprocessing, "img_size": config.data.img_size})
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model


def _create(name: str, arguments: dict[str, Any]) -> Any:
    if not timm.is_model(name):
        raise KitError(f"unknown model.name '{name}'; {did_you_mean(name, timm.list_models())}")
    try:
        return timm.create_model(name, **arguments)
    except (OSError, RuntimeError) as error:
        if not arguments["pretrained"]:
            raise
        raise KitError(
            f"expected to load pretrained weights of {name}, got: {_first_line(error)}; put the "
            f"file '{name}.safetensors' into a folder named by KIT_WEIGHTS, attach it as a Kaggle "
            "input, or set model.weights to its path or to 'none'"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
