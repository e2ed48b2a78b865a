"""From a frame with boxes and folds to the loaders of one training."""

from pathlib import Path
from typing import Any

import pandas as pd
from torch.utils.data import DataLoader

from common.config import Config
from common.data.box_dataset import BoxDataset
from common.data.build import min_side, reader
from common.data.columns import fold_groups, group_columns
from common.data.loaders import make_loader
from common.data.pseudo import add_pseudo_boxes
from common.data.tolerant import tolerant_loader
from common.data.transforms import train_transforms, valid_transforms
from common.errors import KitError
from common.keys import FOLD


def box_loaders(
    frame: pd.DataFrame, fold: int, config: Config, cache_dir: Path | None = None
) -> tuple[DataLoader, DataLoader]:
    """Return the loader of all other folds, shuffled and augmented, and that of the fold itself.

    Args:
        frame: image_id, path, boxes, labels, fold and, if known, width and height.
        cache_dir: where resized copies go if `data.cache` is on.
    """
    group_columns(frame, config.log.breakdown)  # a wrong name is told before a file is opened
    folds = sorted(frame[FOLD].unique().tolist())
    if fold not in folds:
        raise KitError(f"expected a fold of {folds}, got {fold}; give one of them to --fold")
    held_out, data, train = frame[FOLD] == fold, config.data, config.train
    common: dict[str, Any] = {
        "num_classes": len(config.classes),
        "seed": train.seed,
        "min_side": min_side(config),
        "read": reader(config, cache_dir),
    }
    training = BoxDataset(
        frame[~held_out].reset_index(drop=True),
        transform=train_transforms(data.img_size, data.augment, boxes=True),
        mosaic=train.mosaic,
        mixup=train.mixup,
        **common,
    )
    if data.pseudo:
        add_pseudo_boxes(training, frame, fold, config)
    rows = frame[held_out].reset_index(drop=True)
    validation = BoxDataset(
        rows,
        transform=valid_transforms(data.img_size, boxes=True),
        **common,
    )
    validation.columns = group_columns(rows, config.log.breakdown)
    validation.groups = fold_groups(rows, config)
    size = min(train.batch_size, len(training))
    settings: dict[str, Any] = {"seed": train.seed, "num_workers": data.num_workers}
    return (
        make_loader(training, size, shuffle=True, drop_last=True, **settings),
        make_loader(validation, train.batch_size, shuffle=False, **settings),
    )


def predict_box_loader(
    frame: pd.DataFrame, config: Config, num_workers: int | None = None
) -> DataLoader:
    """Return the loader that prediction reads: the frame's order, validation's transforms.

    It yields `common.data.tolerant.Batch`: what cannot be read is told, not raised.
    """
    dataset = BoxDataset(
        frame,
        len(config.classes),
        valid_transforms(config.data.img_size, boxes=True),
        min_side=min_side(config),
        labelled=False,
    )
    workers = config.data.num_workers if num_workers is None else num_workers
    return tolerant_loader(dataset, config.train.batch_size, workers)
