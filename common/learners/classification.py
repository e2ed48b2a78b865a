"""The classification Learner."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.config import Config
from common.keys import LABEL, auxiliary_target
from common.learners.base import Learner
from common.losses.choose import classification_loss
from common.metrics.base import Metric
from common.models.outputs import predicted


class ClassificationLearner(Learner):
    """Predicts `(N, C)` probabilities: softmax, or sigmoid where images have several labels.

    Of a regression the numbers themselves.
    """

    multilabel = False

    def targets(self, batch: Mapping[str, Any]) -> Tensor:
        """Return `(N,)` int64 classes, or `(N, C)` labels or numbers."""
        return batch[LABEL]

    def predictions(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Tensor:
        """Return `(N, C)` float32 probabilities, or numbers in the target's units."""
        return predicted(outputs, self.multilabel)

    def auxiliary_scores(
        self, outputs: Mapping[str, Any], batch: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """Return of each column of `model.auxiliary` what is right, or how far off it is."""
        heads = getattr(self.model, "auxiliary", None)
        return heads.judge(outputs, batch) if heads is not None else {}


def make_learner(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    metrics: Sequence[Metric],
    config: Config,
) -> ClassificationLearner:
    """Return the Learner with loss and optimiser as the config says.

    What scales numbers learns from the training samples here, and from no others.
    """
    _fit_scales(model, train_loader.dataset, config)
    learner = ClassificationLearner(
        model,
        train_loader,
        valid_loader,
        classification_loss(config, getattr(train_loader.dataset, "labels", None), model),
        metrics,
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
        body_lr_factor=config.train.body_lr_factor,
        optimiser=config.train.optimiser,
        layer_decay=config.train.layer_decay,
    )
    learner.multilabel = config.multilabel
    return learner


def _fit_scales(model: Any, dataset: Any, config: Config) -> None:
    if config.kind == "regression":
        model.scale.fit(dataset.labels)
    for column, count in config.model.auxiliary.items():
        if count == 1:
            value, known = dataset.auxiliary[auxiliary_target(column)].unbind(1)
            model.auxiliary.scale(column).fit(value.masked_fill(known == 0, nan)[:, None])
