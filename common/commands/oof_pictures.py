"""Pictures of all folds, each predicted whole by a model that never saw it, and counted."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.competition import Competition
from common.config import Config, PredictConfig
from common.data.folds import fold_frame
from common.data.masks import ignored_value, read_mask
from common.data.objects import read_objects
from common.data.windows import picture_of
from common.errors import KitError
from common.inference.instances import instances
from common.inference.mask_rule import USUAL_DISTANCE
from common.inference.segmentation import predict_masks
from common.keys import FOLD, GROUP, IGNORE, IMAGE_ID, MASK, OBJECTS, PATH
from common.metrics.parts import LEVELS, part_counts, part_precision, part_tables
from common.oof_files import Experiment, read_oof_file
from common.runs import Run

COARSE = LEVELS[::2]  # thresholds of objects, for a watershed takes its time
DISTANCES = (USUAL_DISTANCE, 3, 8, 12, 20)  # pixels between middles that are tried


class Counted(NamedTuple):
    """What is kept of M pictures, see `common.metrics.part_rules`."""

    target: np.ndarray  # (M, 2) int64 group and number
    folds: np.ndarray  # (M,) int64
    pixels: np.ndarray
    objects: dict[str, np.ndarray]  # by method
    distances: dict[str, tuple[int, ...]]  # by method, what the objects were parted with


def count_pictures(
    found: Experiment, frames: Sequence[pd.DataFrame], options: PredictConfig
) -> Counted:
    """Predict all pictures; return what is counted of each.

    Raises:
        KitError: there is not one pixel that counts.
    """
    config, ways = found.config, _distances(options)
    pixels: list[np.ndarray] = []
    objects: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    for probs, truth, row in _predicted(found.runs, frames, options, config):
        if len(config.classes) > 1:
            pixels.append(part_tables(probs.argmax(0), truth, len(config.classes)))
        else:
            pixels.append(part_counts(probs, truth))
        for way, distances in ways.items():
            objects[way].append(_precision(probs, truth, row, way, distances))
    counted = np.stack(pixels)
    if not counted.any():
        raise KitError(
            "expected masks in which something is known, got only ignored pixels; mend data.ignore"
        )
    joined = pd.concat(frames, ignore_index=True)
    groups = joined[GROUP].to_numpy() if GROUP in joined else np.zeros(len(joined), np.int64)
    target = np.stack([groups, np.arange(len(joined))], 1)
    stacked = {way: np.stack(values) for way, values in objects.items()}
    return Counted(target, joined[FOLD].to_numpy(np.int64), counted, stacked, ways)


def _distances(options: PredictConfig) -> dict[str, tuple[int, ...]]:
    """Return by method what its objects are parted with; empty where no objects are asked for."""
    given = options.masks.min_distance
    if options.masks.instances == "none":
        return {}
    watershed = DISTANCES if given is None else (given,)
    return {"components": (USUAL_DISTANCE,), "watershed": watershed}  # the former have no distance


def _precision(
    probs: np.ndarray, truth: np.ndarray, row: Any, way: Any, distances: Sequence[int]
) -> np.ndarray:
    """Return `(D, T, A)` precision of the objects of a picture."""
    true = read_objects(getattr(row, OBJECTS, None), truth)
    labels = [partial(instances, method=way, min_distance=distance) for distance in distances]
    found = [part_precision(probs, true, truth != IGNORE, label, COARSE) for label in labels]
    return np.stack(found)


def _predicted(
    runs: Sequence[Run], frames: Sequence[pd.DataFrame], options: PredictConfig, config: Config
) -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
    """Yield probabilities, true mask and row of every picture, by the model of its fold."""
    count, ignore = len(config.classes), ignored_value(config)
    alone = options.model_copy(update={"weights": (), "time_limit": 0.0})  # one model, all pictures
    for run, frame in zip(runs, frames, strict=True):
        masks = predict_masks([run.best()], frame, alone)
        for (_, probs), row in zip(masks, frame.itertuples(), strict=True):
            height, width = probs.shape[-2:]
            yield probs, read_mask(getattr(row, MASK), height, width, count, ignore=ignore), row


def pictures_of(competition: Competition, found: Experiment, place: Path) -> list[pd.DataFrame]:
    """Return the pictures of each fold with their masks, in the order of the out-of-fold files."""
    frame = competition.module("data").read_train(place, found.config)
    frame = fold_frame(found.runs[0].folds_file, frame, found.config).set_index(IMAGE_ID)
    kept = [column for column in (PATH, MASK, OBJECTS, GROUP) if column in frame]
    frames = []
    for run in found.runs:
        ids = read_oof_file(run.oof_file, columns=[IMAGE_ID])[IMAGE_ID].map(picture_of).unique()
        if not run.best().exists():
            raise KitError(f"expected a best checkpoint in {run.name}, found none; train it")
        if missing := set(ids) - set(frame.index):
            raise KitError(
                f"expected image '{min(missing)}' of {run.name} in '{place}', found none"
            )
        own = frame.loc[ids, kept].reset_index(names=IMAGE_ID)
        frames.append(own.assign(**{FOLD: run.fold}))
    return frames
