"""From a frame with folds to the loaders of one training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from common.config import Config
from common.data.cache import ResizedCache
from common.data.columns import fold_groups, group_columns
from common.data.dataset import ImageDataset
from common.data.growing import sides_of
from common.data.image import read_image
from common.data.loaders import make_loader
from common.data.pseudo import add_pseudo
from common.data.sampling import sample_weights
from common.data.targets import auxiliary_targets, check_targets
from common.data.tolerant import tolerant_loader
from common.data.transforms import train_transforms, valid_transforms
from common.errors import KitError
from common.keys import FOLD


def fold_loaders(
    frame: pd.DataFrame, fold: int, config: Config, cache_dir: Path | None = None
) -> tuple[DataLoader, DataLoader]:
    """Return the loader of all other folds, shuffled and augmented, and that of the fold itself.

    Args:
        frame: image_id, path, targets and fold.
        cache_dir: where resized copies go if `data.cache` is on.
    """
    group_columns(frame, config.log.breakdown)  # a wrong name is told before a file is opened
    folds = sorted(frame[FOLD].unique().tolist())
    if fold not in folds:
        raise KitError(f"expected a fold of {folds}, got {fold}; give one of them to --fold")
    check_targets(frame, config)
    held_out, data, train = frame[FOLD] == fold, config.data, config.train
    rows = frame[~held_out].reset_index(drop=True), frame[held_out].reset_index(drop=True)
    transforms = train_transforms(data.img_size, data.augment), valid_transforms(data.img_size)
    common: dict[str, Any] = {
        "seed": train.seed,
        "min_side": min_side(config),
        "target": config.target_columns,
        "read": reader(config, cache_dir),
    }
    datasets = [ImageDataset(r, t, **common) for r, t in zip(rows, transforms, strict=True)]
    for dataset, part in zip(datasets, rows, strict=True):
        dataset.auxiliary = auxiliary_targets(part, config)
    datasets[0].staged = [train_transforms(side, data.augment) for side in sides_of(config)]
    datasets[1].columns = group_columns(rows[1], config.log.breakdown)
    datasets[1].groups = fold_groups(rows[1], config)
    if data.pseudo:
        add_pseudo(datasets[0], frame, fold, config)
    size = min(train.batch_size, len(datasets[0]))
    labels = datasets[0].labels
    assert labels is not None
    if data.pseudo and labels.ndim == 2 and not config.multilabel:  # shares, where some are soft
        labels = labels.argmax(1)
    weights = sample_weights(labels.numpy(), data.sampler)
    settings: dict[str, Any] = {"seed": train.seed, "num_workers": data.num_workers}
    return (
        make_loader(datasets[0], size, shuffle=True, drop_last=True, weights=weights, **settings),
        make_loader(datasets[1], train.batch_size, shuffle=False, **settings),
    )


def predict_loader(
    frame: pd.DataFrame, config: Config, num_workers: int | None = None
) -> DataLoader:
    """Return the loader that prediction reads: the frame's order, validation's transforms.

    It yields `common.data.tolerant.Batch`: what cannot be read is told, not raised.
    """
    dataset = ImageDataset(
        frame, valid_transforms(config.data.img_size), min_side=min_side(config), target=None
    )
    workers = config.data.num_workers if num_workers is None else num_workers
    return tolerant_loader(dataset, config.train.batch_size, workers)


def min_side(config: Config) -> int:
    """Return how small a JPEG may be decoded, in pixels of the short side; 0 = as it is."""
    return round((config.data.img_size or 0) * config.data.oversample)


def reader(config: Config, cache_dir: Path | None = None) -> Callable[[str, int], np.ndarray]:
    """Return the function that reads images: from the files, or through resized copies."""
    data = config.data
    if not data.cache or cache_dir is None:
        return read_image
    if data.img_size is None or not data.oversample:
        raise KitError(
            "expected data.img_size and data.oversample with data.cache, for the copies are "
            "resized; set them, or data.cache=false"
        )
    side, folder = min_side(config), Path(data.cache_dir) if data.cache_dir else cache_dir
    return ResizedCache(folder / str(side), side, data.cache_gb * 1e9)
