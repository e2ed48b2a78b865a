"""Folds: made once, kept in a file, read ever after: every run validates on the same rows."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common import distributed
from common.config import Config
from common.data.division import expect_same_images
from common.data.files import some
from common.data.frame import check_ids
from common.data.partial import partial
from common.data.splits import FIX, Columns, Kind, check_count, group_codes, splitter, strata
from common.data.targets import value_strata
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID, LABEL


def make_folds(
    frame: pd.DataFrame,
    kind: Kind,
    n_folds: int,
    seed: int,
    stratify: Columns = None,
    group: str | None = None,
) -> pd.Series:
    """Give every row the fold that validates on it, 0 to `n_folds` - 1.

    Args:
        frame: one row per image.
        kind: which splitter of scikit-learn, or of iterative-stratification for multi-label.
        n_folds: at least 2.
        seed: shuffles before the split.
        stratify: the column whose values every fold gets its share of; for multi-label a list of
            columns of 0 and 1. A value that is absent from a fold is warned of.
        group: the column whose equal values stay in one fold.

    Raises:
        KitError: a column is missing or holds NaN, or there are too few rows, groups or members.
    """
    y = strata(frame, kind, stratify)
    groups = group_codes(frame, kind, group)
    check_count(frame, n_folds, groups)
    cutter = splitter(kind, n_folds, seed)
    folds = np.full(len(frame), -1, dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ours below names class and fold
        try:
            for fold, (_, valid) in enumerate(cutter.split(np.zeros(len(frame)), y, groups)):
                folds[valid] = fold
        except ValueError as error:
            raise KitError(f"expected {n_folds} {kind} folds, got: {error}; {FIX}") from None
    result = pd.Series(folds, index=frame.index, name=FOLD)
    _warn_absent(frame, result, n_folds, stratify)
    return result


def load_or_make_folds(
    path: Path,
    frame: pd.DataFrame,
    kind: Kind,
    n_folds: int,
    seed: int,
    stratify: Columns = None,
    group: str | None = None,
    force: bool = False,
) -> pd.DataFrame:
    """Return the frame with `fold`, read from the csv at `path`, which is written if there is none.

    The file's first line keeps the settings as a comment; a file without it, brought from
    elsewhere, is checked by its ids and number of folds. `force` makes the folds anew; another
    seed alone does not, for trainings that differ by it are compared and blended.

    Raises:
        KitError: the file was made for other ids or other settings, or parts a group.
    """
    check_ids(frame)
    columns = [stratify] if isinstance(stratify, str) else list(stratify or ())
    settings: dict[str, Any] = {"kind": kind, "n_folds": n_folds, "seed": seed}
    settings |= {"stratify": columns, "group": group}
    if force or not path.exists():
        folds = make_folds(frame, kind, n_folds, seed, stratify, group)
        frame = frame.assign(**{FOLD: folds})
        _write(path, frame, settings)
        return frame
    return _attach(path, frame, settings)


def fold_frame(path: Path, frame: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the frame with the `fold` that a config asks for, kept in the csv at `path`.

    A frame that comes with `fold` keeps it: the competition fixes who validates on what. Of several
    processes the first one alone reads or writes the file; the others' may be elsewhere.
    """
    expect_same_images(frame)
    first = distributed.is_first()
    return frame.assign(
        **{FOLD: distributed.from_first(_folds(path, frame, config) if first else None)}
    )


def _folds(path: Path, frame: pd.DataFrame, config: Config) -> np.ndarray:
    """Return the `(N,)` folds that a config asks for."""
    if FOLD in frame.columns:
        return _keep_fixed(path, frame, config.data.n_folds)[FOLD].to_numpy()
    data, multilabel = config.data, config.data.fold_kind == "multilabel_stratified"
    stratify = list(config.classes) if multilabel else data.fold_stratify
    named = frame
    if (
        config.kind == "regression"
        and data.fold_stratify == LABEL
        and "stratified" in data.fold_kind
    ):
        stratify, named = (
            LABEL,
            frame.assign(**{LABEL: value_strata(frame, config.classes, data.n_folds)}),
        )
    elif (
        stratify == LABEL and LABEL in frame.columns
    ):  # a class by its name, for what is said of it
        names = dict(enumerate(config.classes))
        named = frame.assign(**{LABEL: frame[LABEL].replace(names)})
    kept = load_or_make_folds(
        path,
        named,
        data.fold_kind,
        data.n_folds,
        config.train.seed,
        stratify=stratify if "stratified" in data.fold_kind else None,
        group=data.fold_group if "group" in data.fold_kind else None,
    )
    return kept[FOLD].to_numpy()


def _keep_fixed(path: Path, frame: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    """Return the frame as it is, its folds in the csv at `path` as well.

    Raises:
        KitError: the folds are not 0 to `n_folds` - 1, or the file has others.
    """
    check_ids(frame)
    there = sorted(set(frame[FOLD].tolist()))
    if there != list(range(n_folds)):
        raise KitError(
            f"expected folds 0 to {n_folds - 1} in column '{FOLD}', which competitions/<name>/"
            f"data.py fixes, got {there}; complete the data or set data.n_folds"
        )
    settings = {"kind": "fixed", "n_folds": n_folds, "group": None}
    if not path.exists():
        _write(path, frame, settings)
    kept = _attach(path, frame, settings)
    moved = frame.loc[kept[FOLD] != frame[FOLD], IMAGE_ID]
    if len(moved):
        raise KitError(
            f"expected the folds that competitions/<name>/data.py fixes, '{path}' has others for "
            f"{some(moved)}; delete it or run kit folds --force"
        )
    return frame


def _attach(path: Path, frame: pd.DataFrame, settings: dict[str, Any]) -> pd.DataFrame:
    remedy = f"delete '{path}' or run kit folds --force (scores are then no longer comparable)"
    saved, kept = _read(path, remedy)
    for name, wanted in settings.items():
        # A training of another seed, of an ensemble for one, validates on the same folds.
        if name != "seed" and kept.get(name, wanted) != wanted:
            raise KitError(
                f"expected folds with {name}={wanted}, '{path}' has {name}={kept[name]}; {remedy}"
            )
    ids = frame[IMAGE_ID].astype(str)
    missing, extra = ids[~ids.isin(saved.index)], saved.index[~saved.index.isin(ids)]
    if len(missing) or len(extra):
        more = f"; lacking: {some(missing)}" if len(missing) else ""
        more += f"; without a row: {some(extra)}" if len(extra) else ""
        raise KitError(
            f"expected folds of these {len(ids)} ids, '{path}' lacks {len(missing)} of them and "
            f"has {len(extra)} others{more}; {remedy}"
        )
    frame = frame.assign(**{FOLD: saved.loc[ids].to_numpy(dtype=np.int64)})
    last, there = settings["n_folds"] - 1, sorted(set(frame[FOLD].tolist()))
    if there != list(range(last + 1)):
        raise KitError(f"expected folds 0 to {last}, '{path}' has {there}; {remedy}")
    _check_whole(frame, settings["group"], path, remedy)
    return frame


def _check_whole(frame: pd.DataFrame, group: str | None, path: Path, remedy: str) -> None:
    if group is None:
        return
    spread = frame.groupby(group)[FOLD].nunique()
    torn = spread.index[spread > 1]
    if len(torn):
        raise KitError(f"expected whole groups, '{path}' parts {group} {some(torn)}; {remedy}")


def _write(path: Path, frame: pd.DataFrame, settings: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial(path)
    text = frame[[IMAGE_ID, FOLD]].to_csv(index=False, lineterminator="\n")
    temporary.write_text(f"# {json.dumps(settings)}\n{text}", encoding="utf-8")
    temporary.replace(path)


def _read(path: Path, remedy: str) -> tuple[pd.Series, dict[str, Any]]:
    """Return fold by id, and the settings it was made with (empty if the file does not say)."""
    with path.open(encoding="utf-8") as file:
        first = file.readline()
        ours = first.startswith("# {")
        try:
            kept = json.loads(first[2:]) if ours else {}
            saved = pd.read_csv(path, skiprows=int(ours), dtype={IMAGE_ID: str}, na_filter=False)
            check_ids(saved)
            folds = saved.set_index(IMAGE_ID)[FOLD].astype(np.int64)
        except (ValueError, KeyError) as error:
            raise KitError(
                f"expected '{path}' with columns {IMAGE_ID},{FOLD}, got: {error}; {remedy}"
            ) from None
    return folds, kept


def _warn_absent(frame: pd.DataFrame, folds: pd.Series, n_folds: int, stratify: Columns) -> None:
    if isinstance(stratify, str):
        counts = pd.crosstab(frame[stratify], folds)
    elif stratify:
        counts = (frame[list(stratify)] > 0).groupby(folds).sum().T
    else:
        return
    counts = counts.reindex(columns=range(n_folds), fill_value=0)
    absent = counts[(counts == 0).any(axis=1)]
    lines = [
        f"class '{name}' ({int(row.sum())} images) is absent from fold "
        f"{', '.join(map(str, row.index[row == 0]))}"
        for name, row in absent.head(5).iterrows()
    ]
    if lines:
        more = f"; and {len(absent) - 5} more classes" if len(absent) > 5 else ""
        warnings.warn(f"{'; '.join(lines)}{more}; its score there is undefined", stacklevel=3)
