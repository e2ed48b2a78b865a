"""Which classes are in which fold, and whether groups are whole."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.config import Config
from common.data.audit.finding import Finding, ok, warning
from common.data.files import some
from common.keys import FOLD, LABEL, LABELS

SURPRISE = 4.0  # standard deviations from its share that a class may be in a fold
RATIO = 1.5  # and so many times more or less than its share


def presence(frame: pd.DataFrame, config: Config, pixels: np.ndarray | None = None) -> np.ndarray:
    """Return `(N, C)` bool: which classes are in which image.

    Args:
        pixels: `(N, C)` of each class, for segmentation (see `scan_masks`).
    """
    if pixels is not None:
        return pixels > 0
    if config.multilabel:
        return frame[list(config.classes)].to_numpy() > 0
    numbers = np.arange(len(config.classes))
    if LABEL in frame:
        return frame[LABEL].to_numpy()[:, None] == numbers
    cells = frame[LABELS] if LABELS in frame else pd.Series([[0]] * len(frame))
    return np.array([np.isin(numbers, np.asarray(cell)) for cell in cells])


def per_fold(there: np.ndarray, folds: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Return images with each class (rows) in each fold (columns)."""
    numbers = np.unique(folds)
    counts = np.stack([there[folds == fold].sum(0) for fold in numbers], 1)
    return pd.DataFrame(counts, index=list(classes), columns=numbers)


def class_balance(counts: pd.DataFrame, images: np.ndarray) -> list[Finding]:
    """Tell of classes that are nowhere, absent from a fold, or far from their share of one.

    Args:
        counts: see `per_fold`.
        images: `(F,)` in each fold.
    """
    nowhere = counts.index[counts.sum(axis=1) == 0].tolist()
    found = [_nowhere(nowhere)] if nowhere else []
    rest = counts[counts.sum(axis=1) > 0]
    absent = [
        f"{name} from {some(row.index[row == 0])}"
        for name, row in rest.iterrows()
        if (row == 0).any()
    ]
    if absent:
        found.append(
            warning(
                "class balance",
                f"absent from folds: {some(absent, 3)}",
                "its score there is undefined; stratify by it (data.fold_kind=stratified), take "
                "fewer folds (data.n_folds), or join it with another class",
            )
        )
    uneven = _uneven(rest, images)
    if uneven and not absent:
        found.append(
            warning(
                "class balance",
                f"folds differ: {some(uneven, 3)}",
                "their scores differ for that reason alone; set data.fold_kind=stratified, or say "
                "by data.fold_stratify what to keep even",
            )
        )
    return found or [ok("class balance", _range(counts, images))]


def whole_groups(frame: pd.DataFrame, config: Config, fixed: bool = False) -> Finding:
    """Tell of groups whose rows lie in several folds; `fixed`: data.py itself made the folds."""
    column, check = config.data.fold_group, "groups"
    if column not in frame:
        return ok(check, f"the frame has no column '{column}' (data.fold_group)")
    spread = frame.groupby(column)[FOLD].nunique()
    torn = spread.index[spread > 1]
    if not len(torn):
        return ok(check, f"all {len(spread)} of column '{column}' are whole")
    if fixed:
        return ok(
            check, f"{len(torn)} of column '{column}' in several folds, as data.py fixes them"
        )
    return warning(
        check,
        f"{len(torn)} of {len(spread)} of column '{column}' lie in several folds: {some(torn)}",
        "validation then knows them from training; set data.fold_kind=stratified_group (or group) "
        "and run kit folds --force, or name another column by data.fold_group",
    )


def _nowhere(names: list[str]) -> Finding:
    return warning(
        "class balance",
        f"no image at all of {some(names)}",
        "it cannot be learnt; take it out of `classes` in config.py, or complete the data",
    )


def _uneven(counts: pd.DataFrame, images: np.ndarray) -> list[str]:
    """Return classes whose number in a fold chance would not bring about, in words."""
    values = counts.to_numpy(float)
    share = values.sum(1, keepdims=True) / images.sum()
    spread = np.sqrt(share * (1 - share) * images * (1 - images / images.sum()))
    fair = share * images
    far = np.abs(values - fair) > SURPRISE * spread + 1
    far &= (values > RATIO * fair) | (values * RATIO < fair)
    return [
        f"{counts.index[c]} {values[c, f] / images[f]:.1%} of fold {counts.columns[f]}, "
        f"{share[c, 0]:.1%} of all"
        for c, f in np.argwhere(far)
    ]


def _range(counts: pd.DataFrame, images: np.ndarray) -> str:
    totals = counts.sum(axis=1).sort_values()
    rare, usual = totals.index[0], totals.index[-1]
    least, most = images.min(), images.max()
    folds = f"{len(images)} folds of {least if least == most else f'{least} to {most}'} images"
    if len(totals) == 1:
        return f"{folds}; {rare} in {totals.iloc[0]} of {images.sum()} images"
    return f"{folds}; rarest {rare} ({totals.iloc[0]}), most frequent {usual} ({totals.iloc[-1]})"
