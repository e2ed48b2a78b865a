"""Image classifiers from timm, dict in, dict out."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from common.config import Config
from common.errors import KitError
from common.keys import EMBEDDING, IMAGE, LABEL, LOGITS, LOGITS_DROPPED, VALUES
from common.models.create import create_network
from common.models.gem import use_gem
from common.models.heads import ArcFace, check_head, dropped
from common.models.normalise import Normalise
from common.models.targets import (
    AuxiliaryHeads,
    Grades,
    Scale,
    make_auxiliary,
    make_grades,
    make_scale,
    output_count,
)
from common.models.weights import weights_arguments


class Classifier(nn.Module):
    """A timm network with its own normalisation.

    Takes a batch with `IMAGE` `(N, 3, H, W)` in 0..255; returns `LOGITS` `(N, C)` and `EMBEDDING`
    `(N, D)`, the pooled features before the classifier. With several `dropouts` also
    `LOGITS_DROPPED`, whose mean `LOGITS` is. A `head` of its own is told the label in training.
    Of grades `LOGITS` are log-probabilities; a regression also gives `VALUES` in the target's
    units, and auxiliary heads their own logits.

    Args:
        body: of timm; without a classifier if there is a head.
        preprocessing: mean, std and what else prediction has to know.
        head: instead of the body's classifier: embedding and label to logits.
    """

    def __init__(
        self, body: Any, preprocessing: Mapping[str, Any], head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.normalise = Normalise(preprocessing["mean"], preprocessing["std"])
        self.body = body
        self.features = nn.Identity()  # what a hook on it sees are the last spatial features
        self.preprocessing = dict(preprocessing)
        self.channels_last = False
        self.head = head
        self.grades: Grades | None = None
        self.scale: Scale | None = None
        self.auxiliary: AuxiliaryHeads | None = None
        self.drop_rate, self.dropouts = 0.0, 1  # of several masks; one alone is the body's

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the outputs by name."""
        image = self.normalise(batch[IMAGE])
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        features = self.features(self.body.forward_features(image))
        embedding = self.body.forward_head(features, pre_logits=True)
        outputs = self._heads(embedding, batch)
        if self.scale is not None:
            outputs[VALUES] = self.scale(outputs[LOGITS])
        if self.auxiliary is not None:
            outputs |= self.auxiliary(embedding)
        return outputs

    def _heads(self, embedding: Tensor, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        if self.dropouts == 1:
            return {LOGITS: self._logits(embedding, batch), EMBEDDING: embedding}
        masks = self.dropouts if self.training else 1
        several = dropped(embedding, self.drop_rate, masks) if self.training else embedding
        logits = self._logits(several, batch).unflatten(0, (masks, -1)).transpose(0, 1)
        return {LOGITS: logits.mean(1), LOGITS_DROPPED: logits, EMBEDDING: embedding}

    def _logits(self, embedding: Tensor, batch: Mapping[str, Any]) -> Tensor:
        if self.head is None:
            logits = self.body.get_classifier()(embedding)
            return logits if self.grades is None else self.grades(logits)
        label = batch.get(LABEL) if self.training else None
        masks = 1 if label is None else len(embedding) // len(label)
        return self.head(embedding, label if label is None or masks == 1 else label.repeat(masks))

    def groups(self) -> list[list[nn.Parameter]]:
        """Return parameters from input to output: body, head; the body can be frozen."""
        head = list((self.head or self.body.get_classifier()).parameters())
        head += list(self.auxiliary.parameters()) if self.auxiliary is not None else []
        known = {id(parameter) for parameter in head}
        body = [parameter for parameter in self.parameters() if id(parameter) not in known]
        return [body, head]


def make_classifier(config: Config, load_weights: bool = True) -> Classifier:
    """Return the network that `config.model` names.

    Args:
        load_weights: False when a checkpoint is loaded right after, so that nothing is fetched.
    """
    check_head(config)
    values = config.model
    weights = weights_arguments(values.name, values.weights if load_weights else "none")
    arguments = {**_head_arguments(config), **values.arguments, **weights}
    body = create_network(values.name, arguments)
    if values.pool == "gem":
        use_gem(body)
    if config.data.start_size:
        _refuse_one_size(body)
    data = timm.data.resolve_data_config({}, model=body)
    preprocessing = {key: data[key] for key in ("mean", "std", "interpolation")}
    model = Classifier(
        body, {**preprocessing, "img_size": config.data.img_size}, _own_head(body, config)
    )
    model.grades, model.scale = make_grades(config), make_scale(config)
    if values.auxiliary:
        model.auxiliary = make_auxiliary(body.head_hidden_size, config)
    if values.dropouts > 1:
        model.drop_rate, model.dropouts = values.drop_rate, values.dropouts
    if values.checkpoint_gradients:
        checkpoint_gradients(body)
    if values.channels_last:
        model.channels_last = True
        model.to(memory_format=torch.channels_last)
    return model


def checkpoint_gradients(body: Any) -> None:
    """Let timm compute activations again on the way back, where memory is short (Chen et al. 2016).

    Raises:
        KitError: the network cannot.
    """
    try:
        body.set_grad_checkpointing(True)
    except (AttributeError, AssertionError) as error:
        raise KitError(
            f"expected a network that can compute activations twice, got {type(body).__name__}: "
            f"{error}; set model.checkpoint_gradients=false, and a smaller train.batch_size with "
            "train.accumulate"
        ) from error


def _head_arguments(config: Config) -> dict[str, Any]:
    """Return what timm is told of pooling, dropout and classifier."""
    values = config.model
    own = values.head == "linear"
    found: dict[str, Any] = {"num_classes": output_count(config) if own else 0}
    found["drop_rate"] = values.drop_rate if values.dropouts == 1 else 0.0
    return found | ({"global_pool": values.pool} if values.pool not in ("", "gem") else {})


def _refuse_one_size(body: Any) -> None:
    if getattr(getattr(body, "patch_embed", None), "strict_img_size", False):
        raise KitError(
            f"expected a network for images of any size with data.start_size, got "
            f"{type(body).__name__}; set model.arguments.dynamic_img_size=true where it has that, "
            "or take data.start_size out"
        )


def _own_head(body: Any, config: Config) -> nn.Module | None:
    values = config.model
    if values.head == "linear":
        return None
    return ArcFace(
        body.head_hidden_size, len(config.classes), values.margin, values.scale, values.subcentres
    )
