"""The classification Learner."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.config import Config, TrainConfig
from common.environment import device as find_device
from common.errors import KitError, did_you_mean
from common.keys import LABEL, LOGITS, LOGITS_DROPPED
from common.learners.base import Learner
from common.losses.class_weights import balanced_weights
from common.losses.classification import (
    ClassLoss,
    asymmetric,
    binary_cross_entropy,
    cross_entropy,
    focal,
    over_masks,
)
from common.losses.terms import Loss, LossTerm
from common.metrics.base import Metric


class ClassificationLearner(Learner):
    """Predicts probabilities `(N, C)`: softmax, or sigmoid where images have several labels."""

    multilabel = False

    def targets(self, batch: Mapping[str, Any]) -> Tensor:
        """Return `(N,)` int64 classes, or `(N, C)` labels."""
        return batch[LABEL]

    def predictions(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Tensor:
        """Return `(N, C)` float32 probabilities."""
        return probabilities(outputs, self.multilabel)


def probabilities(outputs: Mapping[str, Any], multilabel: bool = False) -> Tensor:
    """Return `(N, C)` float32 probabilities of `LOGITS`."""
    logits = outputs[LOGITS].float()
    return logits.sigmoid() if multilabel else logits.softmax(1)


def make_learner(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    metrics: Sequence[Metric],
    config: Config,
) -> ClassificationLearner:
    """Return the Learner with loss and optimiser as the config says."""
    learner = ClassificationLearner(
        model,
        train_loader,
        valid_loader,
        classification_loss(config, getattr(train_loader.dataset, "labels", None)),
        metrics,
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
        body_lr_factor=config.train.body_lr_factor,
        optimiser=config.train.optimiser,
        layer_decay=config.train.layer_decay,
    )
    learner.multilabel = config.multilabel
    return learner


def classification_loss(config: Config, labels: Tensor | None = None) -> Loss:
    """Return the terms of `train.loss`; without any cross entropy, softmax or sigmoid.

    Args:
        config: says which terms, and whether classes are weighted.
        labels: of the training samples, for weights.
    """
    weights = _class_weights(config, labels)
    terms = (_sigmoid_terms if config.multilabel else _softmax_terms)(config.train, weights)
    chosen = config.train.loss or {next(iter(terms)): 1.0}
    for name in chosen:
        if name not in terms:
            kind = "several labels" if config.multilabel else "one class"
            raise KitError(
                f"unknown term '{name}' in train.loss of {kind} per image; "
                f"{did_you_mean(name, terms)}"
            )
    if config.train.label_smoothing and not any("cross_entropy" in name for name in chosen):
        raise KitError(
            f"expected a cross entropy to smooth the labels of, got train.loss of {list(chosen)}; "
            "set train.label_smoothing=0"
        )
    return Loss([_term(config, name, terms[name], weight) for name, weight in chosen.items()])


def _term(config: Config, name: str, function: ClassLoss, weight: float) -> LossTerm:
    if config.model.head == "arcface":  # scale and margin rule its value before training
        function.__name__ = f"arcface_{function.__name__}"
    if config.model.dropouts > 1:
        return LossTerm(LOGITS_DROPPED, LABEL, over_masks(function), weight, name)
    return LossTerm(LOGITS, LABEL, function, weight, name)


def _softmax_terms(train: TrainConfig, weights: Tensor | None) -> dict[str, ClassLoss]:
    return {
        "cross_entropy": cross_entropy(train.label_smoothing, weights),
        "focal": focal(train.focal_gamma, weights=weights),
    }


def _sigmoid_terms(train: TrainConfig, weights: Tensor | None) -> dict[str, ClassLoss]:
    return {
        "binary_cross_entropy": binary_cross_entropy(train.label_smoothing, weights),
        "focal": focal(train.focal_gamma, multilabel=True, weights=weights),
        "asymmetric": asymmetric(*train.asymmetric_gamma, weights=weights),
    }


def _class_weights(config: Config, labels: Tensor | None) -> Tensor | None:
    if config.train.class_weights == "none":
        return None
    if labels is None:
        raise KitError(
            "expected training samples with labels for train.class_weights=balanced, got none; "
            "give the loss the labels, or set it to none"
        )
    return balanced_weights(labels.cpu(), len(config.classes)).to(find_device())
