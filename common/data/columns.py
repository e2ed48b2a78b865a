"""Columns of a validation's frame that stay at hand, so that scores can be broken down by them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from common.config import Config
from common.errors import KitError, did_you_mean

CROSS = "*"  # "quality*method" crosses two columns
MAX_VALUES = 12  # a column with more numbers is cut into bins
BINS = 5  # of about as many rows each


def group_columns(
    frame: pd.DataFrame, names: Sequence[str], rows: np.ndarray | None = None
) -> dict[str, pd.Categorical]:
    """Return the group of each sample by each column that `names` speak of; none where it is NaN.

    Args:
        names: columns, or two of them joined by `*`.
        rows: `(N,)` which row of the frame each sample is of; None: one sample a row.

    Raises:
        KitError: no such column, or one whose values are no single things.
    """
    wanted = dict.fromkeys(part for name in names for part in name.split(CROSS))
    found = {name: _groups(frame, name) for name in wanted}
    return found if rows is None else {name: groups[rows] for name, groups in found.items()}


def fold_groups(frame: pd.DataFrame, config: Config) -> np.ndarray | None:
    """Return `(N,)` text, which rows the folds keep together; None where they part any."""
    name = config.data.fold_group
    if "group" not in config.data.fold_kind or name not in frame.columns:
        return None
    return frame[name].astype(str).to_numpy(object)


def _groups(frame: pd.DataFrame, name: str) -> pd.Categorical:
    if name not in frame.columns:
        hint = did_you_mean(name, map(str, frame.columns))
        raise KitError(f"expected columns of the frame in log.breakdown, got '{name}'; {hint}")
    values = frame[name]
    try:
        if values.dtype.kind in "iuf" and values.nunique() > MAX_VALUES:
            return _binned(values)
        return pd.Categorical(values)
    except TypeError:
        raise KitError(
            f"expected single values in column '{name}' of log.breakdown, got "
            f"{type(values.iloc[0]).__name__}; add a column that sums them up in data.py"
        ) from None


def _binned(values: pd.Series) -> pd.Categorical:
    """Return quantile bins, named by the least and the largest number that each holds."""
    codes = pd.qcut(values, BINS, labels=False, duplicates="drop")
    ends = values.groupby(codes).agg(["min", "max"])
    names: list[Any] = [f"{low:.4g} to {high:.4g}" for low, high in ends.to_numpy().tolist()]
    known = pd.Series(names, dtype=object)
    return pd.Categorical(codes.map(known), categories=names)
