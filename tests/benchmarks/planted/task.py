"""What the three benches of label issues share: a tiny training of every fold."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.commands.oof import gather_issues
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.data.build_boxes import box_loaders
from common.data.build_masks import mask_loaders
from common.environment import seed_everything
from common.keys import FOLD, IMAGE_ID, LOSS
from common.learners import classification, detection, segmentation
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter
from common.oof import read_oof
from common.runs import Run

PARTS = {
    "classification": (fold_loaders, make_classifier, classification.make_learner),
    "segmentation": (mask_loaders, make_segmenter, segmentation.make_learner),
    "detection": (box_loaders, make_detector, detection.make_learner),
}
SMALL = {"channels": (16, 32, 64, 128), "stem_width": 16}
MODELS = {
    "classification": ModelConfig(name="resnet10t", arguments=SMALL),
    "segmentation": ModelConfig(
        name="test_byobnet", decoder_arguments={"decoder_channels": (32, 24, 16, 12, 8)}
    ),
    "detection": ModelConfig(
        name="resnet10t",
        arguments=SMALL,
        decoder_arguments={
            "fpn_channels": 64,
            "num_convs": 2,
            "strides": (8, 16),
            "extra_levels": False,
        },
    ),
}
RATES = {"classification": (32, 4e-3), "segmentation": (8, 1e-2), "detection": (4, 3e-3)}


LAST = "last_losses.parquet"


class Planted(NamedTuple):
    """A frame with wrong labels, how to train on it, and what is wrong."""

    frame: pd.DataFrame
    config: Config
    wrong: Any


def config_of(task: str, classes: tuple[str, ...], seed: int, options, metric: str) -> Config:
    """Return a training of minutes, from random weights."""
    size, rate = RATES[task]
    model = {"weights": "none", "channels_last": True}
    return Config(
        competition="planted",
        task=task,
        classes=classes,
        metric=metric,
        data=DataConfig(
            img_size=options.size,
            augment="flip" if task == "classification" else "dihedral",
            num_workers=0,
            cache=task != "segmentation",  # whose windows are cut from whole pictures
            n_folds=options.folds,
        ),
        model=MODELS[task].model_copy(update=model),
        train=TrainConfig(
            epochs=options.epochs,
            batch_size=size,
            lr=rate,
            seed=seed,
            weight_decay=0.05,
            clip_norm=2 if task == "detection" else 0,
        ),
        log=LogConfig(loggers=(), looks=("label_issues",), strict=True),
    )


def train_all(planted: Planted, work: Path) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Train every fold; return issues, losses of the last epoch, out-of-fold predictions.

    Losses are by id; predictions are three columns: ids, targets, predictions.
    """
    load, make_model, make_learner = PARTS[planted.config.task]
    runs, config = [], planted.config
    for fold in sorted(planted.frame[FOLD].unique().tolist()):
        run = Run(work / "runs" / "planted" / "bench" / f"fold{fold}")
        runs.append(run)
        if (run.folder / LAST).exists():  # of an earlier call with --keep
            continue
        seed_everything(config.train.seed)
        run = Run.create(run.folder, config)
        metrics = choose_metrics(config)
        loaders = load(planted.frame, fold, config, run.cache)
        learner = make_learner(make_model(config), *loaders, metrics, config)
        train_run(learner, config, run, metrics)
        said = learner.evaluation
        table = pd.DataFrame({IMAGE_ID: said[IMAGE_ID], LOSS: said[LOSS]})
        table.to_parquet(run.folder / LAST)
    last = pd.concat([pd.read_parquet(run.folder / LAST) for run in runs])
    found = pd.concat([pd.read_parquet(run.oof_file) for run in runs], ignore_index=True)
    ids = found[IMAGE_ID].to_numpy()
    return gather_issues(runs), last.set_index(IMAGE_ID)[LOSS], (ids, *read_oof(found, config))


def recall_at_k(hits: np.ndarray, count: int) -> float:
    """Return the share of `count` planted ones among the first `count`."""
    return float(hits[:count].sum() / count)


def average_precision(hits: np.ndarray, count: int) -> float:
    """Return the mean, over planted ones, of the precision where each is found; 0 where not."""
    places = np.flatnonzero(hits)
    return float((np.arange(1, len(places) + 1) / (places + 1)).sum() / count)
