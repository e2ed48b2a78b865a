"""The detection Learner."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.config import Config
from common.errors import KitError, did_you_mean
from common.evaluation import Evaluation
from common.keys import (
    BOXES,
    CONFIDENCE,
    INDEX,
    LABELS,
    LOSS_BOXES,
    LOSS_CENTRES,
    LOSS_CLASSES,
    PREDICTION,
    SCORES,
    TARGET,
)
from common.learners.base import Learner
from common.losses.terms import Loss, LossTerm
from common.metrics.base import Metric
from common.metrics.detection import tune_confidence
from common.metrics.matching import separate_classes
from common.models.outputs import to_dicts

DEFAULT_CONFIDENCE = 0.5  # where none can be tuned
TERMS = {"classes": LOSS_CLASSES, "boxes": LOSS_BOXES, "centres": LOSS_CENTRES}


class DetectionLearner(Learner):
    """Predicts boxes; truths and predictions are lists of N dicts of numpy arrays."""

    def targets(self, batch: Mapping[str, Any]) -> list[dict[str, np.ndarray]]:
        """Return BOXES `(K, 4)` float32 in pixels of the network's picture, LABELS `(K,)`."""
        return to_dicts(batch, (BOXES, LABELS))

    def predictions(
        self, outputs: Mapping[str, Any], batch: Mapping[str, Any]
    ) -> list[dict[str, np.ndarray]]:
        """Return BOXES `(P, 4)`, LABELS and SCORES `(P,)`, most certain first."""
        return to_dicts(outputs, (BOXES, LABELS, SCORES))

    def thresholds(self, evaluation: Evaluation) -> dict[str, float]:
        """Return the `confidence` from which on a box is worth keeping."""
        truths, predictions = evaluation[TARGET], evaluation[PREDICTION]
        found, _ = tune_confidence(separate_classes(truths), separate_classes(predictions))
        return {CONFIDENCE: found if np.isfinite(found) else DEFAULT_CONFIDENCE}


def make_learner(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    metrics: Sequence[Metric],
    config: Config,
) -> DetectionLearner:
    """Return the Learner with loss and optimiser as the config says."""
    return DetectionLearner(
        model,
        train_loader,
        valid_loader,
        detection_loss(config),
        metrics,
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
        body_lr_factor=config.train.body_lr_factor,
        optimiser=config.train.optimiser,
    )


def detection_loss(config: Config) -> Loss:
    """Return the detector's own terms, by `train.loss` or all alike.

    `classes`: focal loss; `boxes`: generalised IoU (FCOS) or L1 (RetinaNet); `centres`: how far
    from the middle a place is (FCOS only).
    """
    known = [name for name in TERMS if name != "centres" or config.model.decoder != "retinanet"]
    weights = config.train.loss or dict.fromkeys(known, 1.0)
    for name in weights:
        if name not in known:
            raise KitError(f"unknown term '{name}' in train.loss; {did_you_mean(name, known)}")
    return Loss(
        [LossTerm(TERMS[name], INDEX, _own, weight, name) for name, weight in weights.items()]
    )


def _own(loss: Tensor, index: Tensor) -> Tensor:
    """Return what the model computed itself, for it alone knows which place learns which box."""
    return loss
