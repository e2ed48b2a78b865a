"""Targets beyond one class per image: numbers, and auxiliary columns; checked by name and row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from common.config import Config
from common.data.rows import refuse_rows
from common.errors import KitError, did_you_mean
from common.keys import LABEL, auxiliary_target

BINS = 10  # of about as many rows, by which folds of numbers are kept alike


def check_values(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the frame with `columns` as float32.

    Raises:
        KitError: a column is missing, or holds text, NaN or infinity.
    """
    for column in columns:
        with np.errstate(over="ignore"):
            values = _numbers(frame, column, "classes").astype(np.float32)
        refuse_rows(frame, column, ~np.isfinite(values), "a finite number")
        frame = frame.assign(**{column: values})
    return frame


def check_targets(frame: pd.DataFrame, config: Config) -> None:
    """Raise KitError unless the target columns are what `target` says of them.

    Raises:
        KitError: a number that is none, or a class or grade beyond the list.
    """
    if config.kind == "regression":
        check_values(frame, config.classes)
    elif not config.multilabel and LABEL in frame and frame[LABEL].dtype.kind in "iu":
        labels, last = frame[LABEL].to_numpy(), len(config.classes) - 1
        what = "grade" if config.target == "ordinal" else "class"
        wrong = (labels < 0) | (labels > last)
        refuse_rows(frame, LABEL, wrong, f"a {what} of 0 to {last}")


def value_strata(frame: pd.DataFrame, columns: Sequence[str], n_folds: int) -> pd.Series:
    """Return bins of about as many rows by target, whose shares folds can keep; as text.

    Of several columns by the mean of their ranks.
    """
    ranks = check_values(frame, columns)[list(columns)].rank(pct=True).mean(axis=1)
    bins = max(min(BINS, len(frame) // n_folds), 1)
    codes = pd.qcut(ranks.rank(method="average"), bins, labels=False, duplicates="drop").fillna(
        0
    )  # all alike
    return codes.map(lambda code: f"bin {int(code) + 1} of {bins} of {' and '.join(columns)}")


def auxiliary_targets(frame: pd.DataFrame, config: Config) -> dict[str, Tensor]:
    """Return the targets of `model.auxiliary` by their keys, see `keys.auxiliary_target`.

    Raises:
        KitError: no such column, or values that are neither empty nor classes 0 to K - 1 (of a
            column of numbers: finite).
    """
    found = {}
    for column, count in config.model.auxiliary.items():
        values = _numbers(frame, column, "model.auxiliary")
        known = ~np.isnan(values)
        filled = np.where(known, values, 0.0)
        make = _number if count == 1 else _shares
        found[auxiliary_target(column)] = make(frame, column, filled, known, count)
    return found


def unknown_rows(target: Tensor, count: int) -> Tensor:
    """Return an auxiliary target with `count` further rows of which nothing is known."""
    return torch.cat([target, target.new_zeros(count, target.shape[1])])


def _number(
    frame: pd.DataFrame, column: str, values: np.ndarray, known: np.ndarray, count: int
) -> Tensor:
    refuse_rows(frame, column, ~np.isfinite(values), "a finite number, or nothing,")
    return torch.tensor(np.stack([values, known], 1), dtype=torch.float32)


def _shares(
    frame: pd.DataFrame, column: str, values: np.ndarray, known: np.ndarray, count: int
) -> Tensor:
    wrong = ~np.isin(values, np.arange(count))
    refuse_rows(frame, column, wrong, f"a class of 0 to {count - 1}, or nothing,")
    one_hot = F.one_hot(torch.tensor(values.astype(np.int64)), count).float()
    return one_hot * torch.tensor(known)[:, None]


def _numbers(frame: pd.DataFrame, column: str, key: str) -> np.ndarray:
    """Return `(N,)` float64, NaN where the cell is empty."""
    if column not in frame.columns:
        hint = did_you_mean(column, map(str, frame.columns))
        raise KitError(f"expected a column '{column}' in the frame, as {key} names it; {hint}")
    values = pd.to_numeric(frame[column], errors="coerce")
    text = values.isna() & frame[column].notna()
    refuse_rows(frame, column, text.to_numpy(), "a number")
    return values.to_numpy(np.float64, na_value=np.nan)
