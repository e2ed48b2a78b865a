"""From a frame of masks with folds to the loaders of one training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.data import DataLoader

from common.config import Config
from common.data.columns import group_columns
from common.data.loaders import make_loader
from common.data.mask_dataset import MaskDataset
from common.data.masks import ignored_value
from common.data.pseudo import add_pseudo_masks
from common.data.transforms import train_transforms
from common.errors import KitError
from common.keys import FOLD


def mask_loaders(
    frame: pd.DataFrame, fold: int, config: Config, cache_dir: Path | None = None
) -> tuple[DataLoader, DataLoader]:
    """Return the windows of all other folds, jittered and augmented, and the fold's exact grid.

    Args:
        frame: image_id, path, mask, fold and, if there are any, group.
        cache_dir: where uncompressed copies of large compressed pictures and masks go.
    """
    group_columns(frame, config.log.breakdown)  # a wrong name is told before a file is opened
    folds = sorted(frame[FOLD].unique().tolist())
    if fold not in folds:
        raise KitError(f"expected a fold of {folds}, got {fold}; give one of them to --fold")
    held_out, data, train = frame[FOLD] == fold, config.data, config.train
    common: dict[str, Any] = {
        "size": data.img_size,
        "num_classes": len(config.classes),
        "ignore": ignored_value(config),
        "seed": train.seed,
        "folder": None if cache_dir is None else cache_dir / "pixels",
    }
    transform = train_transforms(data.img_size, data.augment)
    rows = frame[~held_out].reset_index(drop=True), frame[held_out].reset_index(drop=True)
    windows = MaskDataset(rows[0], transform=transform, jitter=True, **common)
    if data.pseudo:
        add_pseudo_masks(windows, frame, fold, config, cache_dir)
    grid = MaskDataset(rows[1], **common)
    places = np.array([grid.row(index) for index in range(len(grid))])
    grid.columns = group_columns(rows[1], config.log.breakdown, places)
    settings: dict[str, Any] = {"seed": train.seed, "num_workers": data.num_workers}
    size = min(train.batch_size, len(windows))
    return (
        make_loader(windows, size, shuffle=True, drop_last=True, **settings),
        make_loader(grid, train.batch_size, shuffle=False, **settings),
    )
