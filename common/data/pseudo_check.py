"""What a file of pseudo-labels must hold for a task: of these classes, and nothing but numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.config import Config
from common.data.box_frame import HEIGHT, WIDTH
from common.data.files import some
from common.data.pseudo_table import CLASSES, SEVERAL
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, LABEL, LABELS, MASK, PROBABILITY, WEIGHT

COLUMNS = {"detection": (BOXES, LABELS, WIDTH, HEIGHT), "segmentation": (MASK,)}


def check_labels(path: Path, rows: pd.DataFrame, config: Config, remedy: str) -> None:
    """Raise KitError unless the rows of a file hold labels for a config."""
    lacking = [name for name in COLUMNS.get(config.task, ()) if name not in rows]
    if lacking:
        raise KitError(
            f"expected labels for {config.task} in '{path}', found no columns {some(lacking)} but "
            f"{some(rows)}; {remedy}"
        )
    weights = rows[WEIGHT].to_numpy(float)
    good = np.isfinite(weights) & (weights >= 0)
    if config.task == "classification":
        _check_kind(path, rows, config, remedy)
        good &= _probabilities(rows, config)
    _check_names(path, rows, config, remedy)
    if config.task == "detection":
        good &= np.array([_is_whole(*row) for row in zip(rows[BOXES], rows[LABELS], strict=True)])
    if not good.all():
        raise KitError(
            f"expected weights from 0, probabilities in 0..1 and finite boxes with a label each in "
            f"'{path}', those of '{rows[IMAGE_ID].iloc[int(good.argmin())]}' are none; {remedy}"
        )


def label_columns(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """Return the columns that hold a number per class, and their prefix; none where it is LABEL."""
    for prefix in (PROBABILITY, SEVERAL):
        found = [str(name) for name in rows if str(name).startswith(prefix)]
        if found:
            return prefix, found
    return "", []


def _check_kind(path: Path, rows: pd.DataFrame, config: Config, remedy: str) -> None:
    prefix, _ = label_columns(rows)
    if (prefix == SEVERAL) > config.multilabel or (not prefix and config.multilabel):
        kind = "any number of classes" if config.multilabel else "one class"
        raise KitError(f"expected {kind} per image in '{path}', got columns {some(rows)}; {remedy}")
    if not prefix and LABEL not in rows:
        raise KitError(
            f"expected column '{LABEL}' or {PROBABILITY}<class> in '{path}', got {some(rows)}; "
            f"{remedy}"
        )


def _check_names(path: Path, rows: pd.DataFrame, config: Config, remedy: str) -> None:
    """Refuse labels of other classes; where each of them must be there, also of fewer."""
    whole, found = _names(rows, config)
    if found - set(config.classes) or (whole and list(whole) != list(config.classes)):
        raise KitError(
            f"expected labels of the classes {some(config.classes)} in '{path}', got "
            f"{some(whole or sorted(map(str, found)))}; {remedy} of these classes"
        )


def _names(rows: pd.DataFrame, config: Config) -> tuple[list[str], set[str]]:
    """Return all classes in their order, where the file knows them, and those that occur."""
    if config.task == "segmentation":
        whole = list(rows.attrs.get(CLASSES, config.classes))
        return whole, set(whole)
    if config.task == "detection":
        return [], {name for names in rows[LABELS] for name in names}
    prefix, columns = label_columns(rows)
    if not prefix:
        return [], set(rows[LABEL])
    found = {name[len(prefix) :] for name in columns}
    # Columns are found by name, whatever their order.
    return list(config.classes) if found >= set(config.classes) else sorted(found), found


def _probabilities(rows: pd.DataFrame, config: Config) -> np.ndarray:
    """Return `(M,)` whether the numbers per class are probabilities."""
    prefix, columns = label_columns(rows)
    values = rows[columns].to_numpy(float)
    good = np.asarray(((values >= 0) & (values <= 1)).all(1))
    if prefix and not config.multilabel:
        good &= np.abs(values.sum(1) - 1) < 1e-3
    return good


def _is_whole(boxes: np.ndarray, labels: np.ndarray) -> bool:
    return len(boxes) == 4 * len(labels) and bool(np.isfinite(np.asarray(boxes, float)).all())
