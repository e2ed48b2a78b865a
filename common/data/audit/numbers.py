"""Whether the numbers to predict are spread over the folds as they are over all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.data.audit.finding import Finding, ok, warning
from common.keys import FOLD

CHECK = "target balance"
SURPRISE = 4.0  # standard errors that a fold's mean may lie off the mean of all


def value_balance(frame: pd.DataFrame, columns: Sequence[str]) -> list[Finding]:
    """Tell of columns that are constant, or whose mean in a fold chance would not bring about.

    Args:
        frame: numbers in `columns`, and fold.
    """
    return [_column(frame[column].astype(float), frame[FOLD], column) for column in columns]


def _column(values: pd.Series, folds: pd.Series, name: str) -> Finding:
    mean, spread = float(values.mean()), float(values.std(ddof=0))
    said = f"{name}: mean {mean:.4g} ± {spread:.3g}, {values.min():.4g} to {values.max():.4g}"
    if not spread > 0:
        return warning(
            CHECK,
            f"{name}: all {len(values)} numbers are {mean:.4g}",
            "nothing can be learnt of it; take it out of `classes` in config.py, or mend data.py",
        )
    parts = values.groupby(folds).agg(["mean", "size"])
    error = spread / np.sqrt(parts["size"])
    far = parts["mean"][(parts["mean"] - mean).abs() > SURPRISE * error]
    if len(far):
        return warning(
            CHECK,
            f"{said}; of fold {far.index[0]} {far.iloc[0]:.4g}",
            "scores of folds differ for that reason alone; set data.fold_kind=stratified and run "
            "kit folds --force, unless groups make it so",
        )
    return ok(
        CHECK, f"{said}; means of folds {parts['mean'].min():.4g} to {parts['mean'].max():.4g}"
    )
