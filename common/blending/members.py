"""Experiments that are to be blended: checked against one another, rows in one order."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.config import Config
from common.data.files import some
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID
from common.oof import read_oof
from common.oof_files import Experiment


class Members(NamedTuple):
    """M experiments on the same N samples."""

    names: list[str]
    config: Config  # of the first
    frame: pd.DataFrame  # of the first, by ascending id
    folds: np.ndarray  # (N,) int64
    target: Any
    predictions: list[Any]  # M, as the metrics take them


def join_members(experiments: Sequence[Experiment]) -> Members:
    """Return what all of them predicted, in one order.

    Raises:
        KitError: fewer than two, one twice, masks, or other samples, folds, classes or targets; or
            a run without a checkpoint, with which nothing could be predicted.
    """
    _check_experiments(experiments)
    first = experiments[0]
    frames = [one.frame.sort_values(IMAGE_ID, ignore_index=True) for one in experiments]
    for one, frame in zip(experiments[1:], frames[1:], strict=True):
        _check_same_rows(first.name, frames[0], one.name, frame)
    read = [read_oof(frame, one.config) for one, frame in zip(experiments, frames, strict=True)]
    if first.config.task == "classification":
        for one, (target, _) in zip(experiments, read, strict=True):
            _check_truth(first.name, read[0][0], one.name, target, frames[0][IMAGE_ID])
    folds = frames[0][FOLD].to_numpy(np.int64)
    predictions = [prediction for _, prediction in read]
    names = [one.name for one in experiments]
    return Members(names, first.config, frames[0], folds, read[0][0], predictions)


def _check_experiments(experiments: Sequence[Experiment]) -> None:
    names = [one.name for one in experiments]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise KitError(
            f"expected two or more different experiments to blend, got {some(names) or 'none'}; "
            "name each once: --run EXPERIMENT --run OTHER"
        )
    first = experiments[0].config
    for one in experiments:
        if one.config.task == "segmentation":
            raise KitError(
                f"expected probabilities to blend, the out-of-fold files of {one.name} hold "
                "counted pixels only; average masks when predicting: "
                f"kit predict {first.competition} --run A/fold0 --run B/fold0"
            )
        for key in ("task", "classes", "multilabel", "target"):
            mine, theirs = getattr(first, key), getattr(one.config, key)
            if mine != theirs:
                raise KitError(
                    f"expected {key} {mine} of {names[0]} in every experiment, {one.name} has "
                    f"{theirs}; blend experiments of one kind"
                )
        if first.task == "detection" and first.data.img_size != one.config.data.img_size:
            raise KitError(
                f"expected data.img_size={first.data.img_size} of {names[0]} in every experiment, "
                f"{one.name} has {one.config.data.img_size}; out-of-fold boxes are in pixels of "
                "the network's picture, train both at one size"
            )
        lacking = [run.name for run in one.runs if not run.best().exists()]
        if lacking:
            raise KitError(
                f"expected a best checkpoint in every run, {len(lacking)} of {one.name} have none: "
                f"{some(lacking)}; without it nothing can be predicted, train it anew"
            )


def _check_same_rows(name: str, frame: pd.DataFrame, other: str, rows: pd.DataFrame) -> None:
    ids, theirs = set(frame[IMAGE_ID]), set(rows[IMAGE_ID])
    lacking, extra = sorted(ids - theirs), sorted(theirs - ids)
    if lacking or extra:
        folds = sorted(frame[FOLD].unique().tolist()), sorted(rows[FOLD].unique().tolist())
        raise KitError(
            f"expected the {len(ids)} samples of {name} (folds {folds[0]}) in {other} (folds "
            f"{folds[1]}), {len(lacking)} are lacking: {some(lacking) or 'none'}; {len(extra)} are "
            f"others: {some(extra) or 'none'}; train the same folds of both: --fold all"
        )
    moved = frame[IMAGE_ID][frame[FOLD].to_numpy() != rows[FOLD].to_numpy()]
    if len(moved):
        raise KitError(
            f"expected the folds of {name} in {other}, {len(moved)} samples are in another one: "
            f"{some(moved)}; one has learnt from what the other is scored on, train it anew"
        )


def _check_truth(
    name: str, truth: np.ndarray, other: str, target: np.ndarray, ids: pd.Series
) -> None:
    differ = (truth != target).reshape(len(ids), -1).any(1)
    if differ.any():
        raise KitError(
            f"expected the labels of {name} in {other}, {differ.sum()} samples have others: "
            f"{some(ids[differ])}; train one of them anew on the same labels"
        )
