"""The segmentation Learner."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.config import Config
from common.data.windows import picture_of
from common.errors import KitError, did_you_mean
from common.evaluation import Evaluation
from common.keys import GROUP, IGNORE, IMAGE_ID, MASK, MASK_LOGITS, PREDICTION, THRESHOLD
from common.learners.base import Learner
from common.losses.segmentation import (
    MaskLoss,
    binary_cross_entropy_mask,
    dice,
    downsampled,
    focal,
    jaccard,
    lovasz,
)
from common.losses.terms import Loss, LossTerm
from common.metrics.base import Metric
from common.metrics.pixel_batches import confusion_batch, threshold_counts_batch
from common.metrics.pixels import THRESHOLDS
from common.metrics.segmentation import tune_threshold
from common.models.segmenter import STRIDES

TERMS: dict[str, Callable[[Config], MaskLoss]] = {
    "bce": lambda config: binary_cross_entropy_mask(config.train.label_smoothing, IGNORE),
    "focal": lambda config: focal(config.train.focal_gamma, ignore=IGNORE),
    "dice": lambda config: dice(ignore=IGNORE),
    "jaccard": lambda config: jaccard(ignore=IGNORE),
    "lovasz": lambda config: lovasz(ignore=IGNORE),
}
USUAL = {"bce": 1.0, "dice": 1.0}


class SegmentationLearner(Learner):
    """Keeps of every window counted pixels alone: at all thresholds, or of all pairs of classes."""

    def targets(self, batch: Mapping[str, Any]) -> Tensor:
        """Return `(N, 2)` int64: code of the group, code of the picture."""
        codes = [picture_code(picture_of(window)) for window in batch[IMAGE_ID]]
        return torch.stack([batch[GROUP].cpu(), torch.tensor(codes)], 1)

    def predictions(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Tensor:
        """Return `(N, T, 4)` int64 counts at each threshold; several classes: `(N, C, C)`."""
        logits = outputs[MASK_LOGITS].float()
        if logits.shape[1] == 1:
            return threshold_counts_batch(logits[:, 0].sigmoid(), batch[MASK], IGNORE)
        return confusion_batch(logits.argmax(1), batch[MASK], logits.shape[1], IGNORE)

    def thresholds(self, evaluation: Evaluation) -> dict[str, float]:
        """Return the threshold with the best pooled IoU; none for several classes."""
        counts = evaluation[PREDICTION]
        one_class = counts.shape[1:] == (len(THRESHOLDS), 4)
        return {THRESHOLD: tune_threshold(counts)} if one_class else {}


def picture_code(image_id: str) -> int:
    """Return a number of 63 bits that stands for an id, the same in every process and run."""
    return int.from_bytes(hashlib.blake2b(image_id.encode(), digest_size=8).digest()) >> 1


def make_learner(
    model: nn.Module,
    train_loader: DataLoader,
    valid_loader: DataLoader,
    metrics: Sequence[Metric],
    config: Config,
) -> SegmentationLearner:
    """Return the Learner with loss and optimiser as the config says."""
    return SegmentationLearner(
        model,
        train_loader,
        valid_loader,
        segmentation_loss(config),
        metrics,
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
        body_lr_factor=config.train.body_lr_factor,
        optimiser=config.train.optimiser,
    )


def segmentation_loss(config: Config) -> Loss:
    """Return the terms of `train.loss` for the mask, and again for each of `model.strides`.

    Raises:
        KitError: a term is unknown, or labels are to be smoothed and none of the terms does.
    """
    named, smoothing, terms = config.train.loss or USUAL, config.train.label_smoothing, []
    if smoothing and "bce" not in named:
        raise KitError(
            f"expected bce in train.loss, which train.label_smoothing={smoothing:g} is of alone, "
            f"got {', '.join(named)}; add bce or set train.label_smoothing=0"
        )
    for name, weight in named.items():
        if name not in TERMS:
            hint = did_you_mean(name, TERMS)
            raise KitError(f"unknown term '{name}' in train.loss of segmentation; {hint}")
        function = TERMS[name](config)
        terms.append(LossTerm(MASK_LOGITS, MASK, function, weight, name))
        terms += [
            LossTerm(
                STRIDES[stride],
                MASK,
                downsampled(function, IGNORE),
                weight * config.train.stride_weight,
                f"{name}_stride_{stride}",
            )
            for stride in config.model.strides
        ]
    return Loss(terms)
