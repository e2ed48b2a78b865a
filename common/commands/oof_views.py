"""What test-time augmentation adds out of fold, and what it costs: pay only for what helps."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.competition import Competition
from common.config import Config, PredictConfig
from common.data.folds import fold_frame
from common.data.image import image_size
from common.environment import data_dir
from common.errors import KitError
from common.inference.classification import predict_classes
from common.inference.crops import FIVE_CROP
from common.inference.detection import predict_boxes
from common.inference.views import TTA, passes_of
from common.keys import BOXES, IMAGE_ID, LABELS, PATH, SCORES
from common.oof import read_oof
from common.oof_files import Experiment, read_oof_file


def say_views(name: str, found: Experiment, given_data: Path | None) -> list[str]:
    """Return a line for each set of views: the metric out of fold, its gain, its cost.

    Every fold's best checkpoint predicts the images that it never saw, once with each set.

    Raises:
        KitError: masks, whose out-of-fold files hold counts; a run without its checkpoint.
    """
    config, competition = found.config, Competition.find(name)
    if found.is_blend:
        raise KitError(f"expected an experiment with --tta, got {found.name}; name one of its own")
    if config.task == "segmentation":
        raise KitError(
            "expected classes or boxes with --tta, got masks; compare kit oof --parts with "
            "kit oof --parts predict.tta=d4"
        )
    metric = competition.metrics(config)[0]
    frames = _frames(competition, found, data_dir(name, given_data))
    target, _ = read_oof(found.frame, config)
    lines: list[str] = []
    plain = once = float("nan")
    for views in _sets(config):
        options, start = PredictConfig(tta=views), time.perf_counter()
        predicted = _predict(found, frames, options)
        seconds = (time.perf_counter() - start) / len(found.frame)
        score = float(metric.function(target, predicted))
        if not lines:
            plain, once = score, seconds
        gain = f"{score - plain:+.4f}" if lines else " " * 7
        cost = f"{seconds / once:4.1f} times the time of one"
        count = len(passes_of(options))
        lines.append(f"  {views:9} {count} views  {score:.4f}  {gain}  {cost}")
    return [f"{metric.name} by predict.tta, out of fold:", *lines]


def _sets(config: Config) -> list[str]:
    """Return the names of `predict.tta` that a config can be predicted with."""
    crops = config.task == "classification" and config.data.img_size is not None
    return [*TTA, *([FIVE_CROP] if crops else [])]


def _frames(competition: Competition, found: Experiment, place: Path) -> list[pd.DataFrame]:
    """Return the images of each fold, in the order of the out-of-fold files."""
    frame = competition.module("data").read_train(place, found.config)
    paths = fold_frame(found.runs[0].folds_file, frame, found.config).set_index(IMAGE_ID)[PATH]
    ids = [read_oof_file(run.oof_file, columns=[IMAGE_ID])[IMAGE_ID] for run in found.runs]
    for run, own in zip(found.runs, ids, strict=True):
        if not run.best().exists():
            raise KitError(f"expected a best checkpoint in {run.name}, found none; train it")
        if missing := set(own) - set(paths.index):
            raise KitError(
                f"expected image '{min(missing)}' of {run.name} in '{place}', found none"
            )
    return [pd.DataFrame({IMAGE_ID: own, PATH: paths[own].to_numpy()}) for own in ids]


def _predict(found: Experiment, frames: list[pd.DataFrame], options: PredictConfig) -> Any:
    pairs = list(zip(found.runs, frames, strict=True))
    if found.config.task == "classification":
        parts = [
            predict_classes([run.best()], frame, options, decide=False) for run, frame in pairs
        ]
        return pd.concat(parts)[list(found.config.classes)].to_numpy()
    boxes = [predict_boxes([run.best()], frame, options) for run, frame in pairs]
    paths = pd.concat(frames)[PATH]
    rows = pd.concat(boxes).to_dict("records")
    return [
        _in_pixels_of_the_network(row, p, found.config) for row, p in zip(rows, paths, strict=True)
    ]


def _in_pixels_of_the_network(row: Mapping[Any, Any], path: str, config: Config) -> dict[str, Any]:
    """Return boxes `(K, 4)` as the out-of-fold file has them, which knows no pixels of the file."""
    height, width = image_size(path)
    side = config.data.img_size or 0
    scale = [side / width, side / height] * 2 if side else 1
    return {BOXES: row[BOXES] * scale, LABELS: row[LABELS], SCORES: row[SCORES]}
