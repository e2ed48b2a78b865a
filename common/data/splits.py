"""scikit-learn's splitters, and what they need said clearly before they are called."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from common.errors import KitError, did_you_mean

Kind = Literal["stratified", "group", "stratified_group", "multilabel_stratified", "random"]
KINDS = ("stratified", "group", "stratified_group", "multilabel_stratified", "random")
Columns = str | Sequence[str] | None
FIX = "fix folds in competitions/<name>/config.py or data.py"


def splitter(kind: Kind, n_folds: int, seed: int) -> Any:
    """Return the splitter of a kind; it shuffles by `seed`."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    options = {"n_splits": n_folds, "shuffle": True, "random_state": seed}
    if kind == "multilabel_stratified":
        from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

        return MultilabelStratifiedKFold(**options)
    splitters = {
        "stratified": StratifiedKFold,
        "group": GroupKFold,
        "stratified_group": StratifiedGroupKFold,
        "random": KFold,
    }
    return splitters[kind](**options)


def strata(frame: pd.DataFrame, kind: Kind, stratify: Columns) -> np.ndarray | None:
    """Return `(N,)` codes, or `(N, C)` zeros and ones, whose shares every fold is to keep."""
    if kind not in KINDS:
        raise KitError(f"expected a kind of folds, got '{kind}'; {did_you_mean(kind, KINDS)}")
    for column in [stratify] if isinstance(stratify, str) else stratify or ():
        _check_column(frame, column)
    if "stratified" not in kind:
        return None
    if not stratify:
        raise KitError(f"expected stratify= for {kind} folds, got none; {FIX}")
    if kind == "multilabel_stratified":
        return frame[[stratify] if isinstance(stratify, str) else list(stratify)].to_numpy()
    if not isinstance(stratify, str):
        raise KitError(f"expected one column to stratify by, got {list(stratify)}; {FIX}")
    return pd.factorize(frame[stratify], sort=True)[0]


def group_codes(frame: pd.DataFrame, kind: Kind, group: str | None) -> np.ndarray | None:
    """Return `(N,)` codes of the groups that stay whole; None for kinds that have none."""
    if "group" not in kind:
        if group is not None:
            raise KitError(f"expected a kind of folds that keeps groups, got '{kind}'; {FIX}")
        return None
    if group is None:
        raise KitError(f"expected group= for {kind} folds, got none; {FIX}")
    _check_column(frame, group)
    return pd.factorize(frame[group])[0]


def _check_column(frame: pd.DataFrame, column: str) -> None:
    if column not in frame.columns:
        hint = did_you_mean(column, map(str, frame.columns))
        raise KitError(f"expected column '{column}' to make folds by; {hint}; {FIX}")
    if frame[column].isna().any():
        row = int(np.flatnonzero(frame[column].isna())[0])
        raise KitError(f"expected '{column}' in every row to make folds, row {row} is NaN; {FIX}")


def check_count(frame: pd.DataFrame, n_folds: int, groups: np.ndarray | None) -> None:
    """Raise KitError unless there are as many rows, or groups, as folds."""
    if n_folds < 2:
        raise KitError(f"expected at least 2 folds, got {n_folds}; {FIX}")
    count, what = (len(frame), "rows") if groups is None else (len(np.unique(groups)), "groups")
    if count < n_folds:
        raise KitError(
            f"expected at least {n_folds} {what} for {n_folds} folds, got {count}; {FIX}"
        )
