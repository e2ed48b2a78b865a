"""Image classifiers from timm, dict in, dict out."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from common.config import Config
from common.keys import EMBEDDING, IMAGE, LOGITS
from common.models.create import create_network
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
        self.features = nn.Identity()  # what a hook on it sees are the last spatial features
        self.preprocessing = dict(preprocessing)
        self.channels_last = False

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        image = self.normalise(batch[IMAGE])
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        features = self.features(self.body.forward_features(image))
        embedding = self.body.forward_head(features, pre_logits=True)
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
    body = create_network(values.name, {**arguments, **values.arguments, **weights})
    data = timm.data.resolve_data_config({}, model=body)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    model = Classifier(body, {**preprocessing, "img_size": config.data.img_size})
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model
