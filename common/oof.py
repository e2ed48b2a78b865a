"""Out-of-fold predictions as a table: one row per sample, and back to what the metrics take."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.config import Config
from common.evaluation import Evaluation
from common.keys import (
    BOXES,
    GROUP,
    IMAGE_ID,
    LABEL,
    LABELS,
    LOSS,
    PREDICTION,
    PROBABILITY,
    SCORES,
    TARGET,
)

COUNTS, IMAGE_CODE = "counts", "image_code"
PREDICTED = "predicted_"  # column prefix, followed by a key, or by what a regression predicts
Columns = dict[str, Any]


class Table(NamedTuple):
    """How a task writes truth and prediction into columns, and reads them again."""

    write: Callable[[Evaluation, Config], Columns]
    read: Callable[[pd.DataFrame, Config], tuple[Any, Any]]


def write_oof(evaluation: Evaluation, config: Config) -> pd.DataFrame:
    """Return one row per sample: id, truth, prediction, loss."""
    columns = TABLES[config.kind].write(evaluation, config)
    return pd.DataFrame({IMAGE_ID: evaluation[IMAGE_ID], **columns, LOSS: evaluation[LOSS]})


def read_oof(frame: pd.DataFrame, config: Config) -> tuple[Any, Any]:
    """Return target and prediction of all rows, as the metrics take them."""
    return TABLES[config.kind].read(frame, config)


def _write_classes(evaluation: Evaluation, config: Config) -> Columns:
    target, prediction = evaluation[TARGET], evaluation[PREDICTION]
    several = (
        [(f"{LABEL}_{name}", target[:, c]) for c, name in enumerate(config.classes)]
        if target.ndim > 1
        else [(LABEL, target)]
    )
    probs = [(f"{PROBABILITY}{name}", prediction[:, c]) for c, name in enumerate(config.classes)]
    return dict(several + probs)


def _read_classes(frame: pd.DataFrame, config: Config) -> tuple[Any, Any]:
    labels = [f"{LABEL}_{name}" for name in config.classes] if config.multilabel else LABEL
    probs = frame[[f"{PROBABILITY}{name}" for name in config.classes]]
    return frame[labels].to_numpy(), probs.to_numpy()


def _write_values(evaluation: Evaluation, config: Config) -> Columns:
    columns = ((f"{LABEL}_", TARGET), (PREDICTED, PREDICTION))
    return {
        prefix + name: evaluation[key][:, place]
        for prefix, key in columns
        for place, name in enumerate(config.classes)
    }


def _read_values(frame: pd.DataFrame, config: Config) -> tuple[Any, Any]:
    target, said = (
        frame[[prefix + name for name in config.classes]].to_numpy(np.float64)
        for prefix in (f"{LABEL}_", PREDICTED)
    )
    return target, said


def _write_counts(evaluation: Evaluation, config: Config) -> Columns:
    target, counts = evaluation[TARGET], evaluation[PREDICTION]
    flat = list(counts.reshape(len(counts), -1))
    return {GROUP: target[:, 0], IMAGE_CODE: target[:, 1], COUNTS: flat}


def _read_counts(frame: pd.DataFrame, config: Config) -> tuple[Any, Any]:
    flat = np.stack(frame[COUNTS].to_list())
    num_classes = len(config.classes)
    shape = (-1, 4) if num_classes == 1 else (num_classes, num_classes)
    return frame[[GROUP, IMAGE_CODE]].to_numpy(), flat.reshape(len(flat), *shape)


def _write_boxes(evaluation: Evaluation, config: Config) -> Columns:
    truth = {key: [_flat(row[key]) for row in evaluation[TARGET]] for key in (BOXES, LABELS)}
    found = {
        PREDICTED + key: [_flat(row[key]) for row in evaluation[PREDICTION]]
        for key in (BOXES, LABELS, SCORES)
    }
    return truth | found


def _read_boxes(frame: pd.DataFrame, config: Config) -> tuple[Any, Any]:
    return _dicts(frame, "", (BOXES, LABELS)), _dicts(frame, PREDICTED, (BOXES, LABELS, SCORES))


def _flat(values: Any) -> np.ndarray:
    return np.asarray(values).reshape(-1)


def _dicts(frame: pd.DataFrame, prefix: str, keys: tuple[str, ...]) -> list[dict[str, np.ndarray]]:
    # Copies, for those that parquet gives cannot be written to, and torch complains of that.
    columns = {key: [np.array(value) for value in frame[prefix + key]] for key in keys}
    columns[BOXES] = [value.reshape(-1, 4) for value in columns[BOXES]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


TABLES = {
    "classification": Table(_write_classes, _read_classes),
    "regression": Table(_write_values, _read_values),
    "segmentation": Table(_write_counts, _read_counts),
    "detection": Table(_write_boxes, _read_boxes),
}
