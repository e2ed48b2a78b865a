"""Pseudo-labels as training samples (Lee 2013): those of the fold's own model, and no others.

The model of fold k never learnt from the images that fold k validates on; those of all other folds
did. A label that one of them made carries what it learnt there into the training of fold k, whose
score is then no longer that of unseen images.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from common.config import Config
from common.data.dataset import ImageDataset
from common.data.pseudo_file import label_columns, read_pseudo
from common.errors import KitError
from common.keys import LABEL, WEIGHT


@dataclass(frozen=True)
class EpochWeights:
    """How much each sample's loss counts: a true label 1, a pseudo-label more with the epochs."""

    true: int  # samples that come first and count 1
    pseudo: Tensor  # (M,) float32, full weights of the others
    start: int  # epochs in which they count nothing
    ramp: int  # epochs in which they rise to their full weight, in equal steps

    def __call__(self, index: int, epoch: int) -> Tensor:
        """Return the weight of a sample in an epoch, counted from 0, as a scalar."""
        if index < self.true:
            return torch.ones(())
        share = (epoch - self.start + 1) / max(self.ramp, 1)
        return self.pseudo[index - self.true] * min(max(share, 0.0), 1.0)


def add_pseudo(dataset: ImageDataset, frame: pd.DataFrame, fold: int, config: Config) -> None:
    """Append the pseudo-labels that `data.pseudo` holds for a fold to its training samples.

    Where there are soft ones, true labels become shares of classes as well.

    Args:
        dataset: of the training images of the fold.
        frame: all images, with fold.

    Raises:
        KitError: see `pseudo_file.read_pseudo`.
    """
    rows = read_pseudo(Path(config.data.pseudo), frame, fold, config)
    labels, true = _labels(rows, config), dataset.labels
    assert true is not None
    if labels.ndim > true.ndim:
        true = F.one_hot(true, len(config.classes)).float()
    weights = torch.tensor(rows[WEIGHT].to_numpy(np.float32)) * config.data.pseudo_weight
    data = config.data
    ramp = EpochWeights(len(dataset), weights, data.pseudo_start, data.pseudo_ramp)
    dataset.append(rows, torch.cat([true, labels.to(true.dtype)]), ramp)


def refuse_pseudo(config: Config) -> None:
    """Raise KitError if a config of another task than classification names pseudo-labels."""
    if config.data.pseudo:
        raise KitError(
            f"expected data.pseudo for classification, got it for {config.task}; leave it empty"
        )


def _labels(rows: pd.DataFrame, config: Config) -> Tensor:
    """Return `(M,)` int64 classes, or `(M, C)` float32 shares or labels."""
    prefix, columns = label_columns(rows)
    if columns:
        ordered = [f"{prefix}{name}" for name in config.classes]
        return torch.tensor(rows[ordered].to_numpy(np.float32))
    places = {name: place for place, name in enumerate(config.classes)}
    return torch.tensor([places[name] for name in rows[LABEL]])
