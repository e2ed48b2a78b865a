"""Pseudo-labels as training samples (Lee 2013): those of the fold's own model, and no others.

The model of fold k never learnt from the images that fold k validates on; those of all other folds
did. A label that one of them made carries what it learnt there into the training of fold k, whose
score is then no longer that of unseen images.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from common.config import Config
from common.data.box_dataset import BoxDataset
from common.data.dataset import ImageDataset
from common.data.mask_dataset import MaskDataset
from common.data.pseudo_boxes import box_frame
from common.data.pseudo_check import label_columns
from common.data.pseudo_file import read_pseudo
from common.data.pseudo_masks import unpack_masks
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
        return self.pseudo[index - self.true] * self._share(epoch)

    def counting(self, epoch: int) -> int:
        """Return how many samples, from the first on, an epoch may learn from."""
        return self.true + (len(self.pseudo) if self._share(epoch) else 0)

    def _share(self, epoch: int) -> float:
        """Return how much of their full weight pseudo-labels have in an epoch."""
        return min(max((epoch - self.start + 1) / max(self.ramp, 1), 0.0), 1.0)


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
    weights = _weights(rows, len(dataset), config)
    dataset.append(rows, torch.cat([true, labels.to(true.dtype)]), weights)


def add_pseudo_boxes(dataset: BoxDataset, frame: pd.DataFrame, fold: int, config: Config) -> None:
    """Append the pictures that `data.pseudo` holds for a fold, with their boxes; see `add_pseudo`.

    A picture that is mixed of several weighs as the least of them.
    """
    rows = read_pseudo(Path(config.data.pseudo), frame, fold, config)
    weights = _weights(rows, len(dataset), config)
    dataset.append(box_frame(rows, config.classes), None, weights)


def add_pseudo_masks(
    dataset: MaskDataset,
    frame: pd.DataFrame,
    fold: int,
    config: Config,
    cache_dir: Path | None = None,
) -> None:
    """Append the pictures that `data.pseudo` holds for a fold, with their masks; see `add_pseudo`.

    Args:
        cache_dir: where the masks are unpacked; None: beside the file.
    """
    file = Path(config.data.pseudo)
    rows = read_pseudo(file, frame, fold, config)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()[:16]
    folder = (cache_dir or file.parent) / f"{file.stem}-{digest}" / f"fold{fold}"
    weights = _weights(rows, dataset.pictures, config)
    dataset.append(unpack_masks(rows, folder), weights)


def _weights(rows: pd.DataFrame, true: int, config: Config) -> EpochWeights:
    """Return the weights of true samples and, after those, of the rows of a file."""
    weights, data = torch.tensor(rows[WEIGHT].to_numpy(np.float32)), config.data
    return EpochWeights(true, weights * data.pseudo_weight, data.pseudo_start, data.pseudo_ramp)


def _labels(rows: pd.DataFrame, config: Config) -> Tensor:
    """Return `(M,)` int64 classes, or `(M, C)` float32 shares or labels."""
    prefix, columns = label_columns(rows)
    if columns:
        ordered = [f"{prefix}{name}" for name in config.classes]
        return torch.tensor(rows[ordered].to_numpy(np.float32))
    places = {name: place for place, name in enumerate(config.classes)}
    return torch.tensor([places[name] for name in rows[LABEL]])
