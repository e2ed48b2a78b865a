"""The classification Learner."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.config import Config
from common.keys import LABEL, LOGITS
from common.learners.base import Learner
from common.losses.classification import binary_cross_entropy, cross_entropy
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
        classification_loss(config),
        metrics,
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
        body_lr_factor=config.train.body_lr_factor,
    )
    learner.multilabel = config.multilabel
    return learner


def classification_loss(config: Config) -> Loss:
    """Return cross entropy, softmax or sigmoid as the config says."""
    make = binary_cross_entropy if config.multilabel else cross_entropy
    return Loss([LossTerm(LOGITS, LABEL, make(config.train.label_smoothing))])
