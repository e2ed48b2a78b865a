"""Predicting classes of any number of images into a file."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common import distributed
from common.config import Config, PredictConfig
from common.errors import KitError, cannot_write
from common.inference.each_model import each_model
from common.inference.outcome import Outcome, predicting
from common.inference.predict import options_of, refuse_nothing, shares_of
from common.inference.spool import Spool
from common.inference.stream import Fallback, group_size, row_groups
from common.inference.sums import Mean
from common.keys import IMAGE_ID

Means = tuple[slice, np.ndarray, np.ndarray]


def stream_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    out: Path,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
) -> Path:
    """Write what `predict_classes` returns to a parquet file, at a fraction of its memory.

    For test sets of millions of images, or of thousands of classes. Each checkpoint's predictions
    lie in a temporary file until their mean is made. To go on, a part at a time:
    `pd.concat(map(to_submission, read_groups(out)))`. Several processes predict each their batches,
    and the first one writes.

    Args:
        out: the file; what was there is replaced in the end, at once.
        checkpoints, frame, options, num_workers: see `predict_classes`.

    Raises:
        KitError: as `predict_classes`, and for grades, numbers or a blend that is no weighted mean.
    """
    refuse_nothing(checkpoints, frame)
    options = options_of(checkpoints, options)
    if options.blend:
        raise KitError(
            "expected a weighted mean to stream, got another blend; predict in parts of the test "
            "set, or blend by mean, hill or optimise"
        )
    sums = Mean(shares_of(options, len(checkpoints)))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with predicting(frame) as outcome:
            classes, spool = _predict(checkpoints, frame, options, num_workers, outcome)
            outcome.share(frame)
            fallback = Fallback(np.zeros(len(classes)))
            for _, values, there in _means(spool, sums, len(classes)):
                fallback.add(values[there])
            _write(out, frame, classes, _means(spool, sums, len(classes)), fallback.mean)
        return out
    except OSError as error:
        raise cannot_write(out, error) from error


def _predict(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig,
    num_workers: int | None,
    outcome: Outcome,
) -> tuple[tuple[str, ...], Spool]:
    """Return the classes, and what all models say."""
    models = each_model(checkpoints, frame, options, num_workers, outcome)
    for number, one in enumerate(models):
        _refuse_values(one.config)
        if not number:
            classes = one.config.classes
            spool = Spool(len(frame), group_size(len(frame), len(classes)))
        for rows, values in one.batches:
            spool.put(number, rows, values)
    return classes, spool


def _means(spool: Spool, sums: Mean, num_classes: int) -> Iterator[Means]:
    """Yield rows of a group, their `(n, C)` means, and which of them have one, `(n,)`."""
    for rows, entries in spool.groups():
        sums.begin(rows.stop - rows.start, num_classes)
        for entry in entries:
            sums.add(*entry)
        yield rows, *sums.finish()


def _write(
    out: Path,
    frame: pd.DataFrame,
    classes: Sequence[str],
    means: Iterator[Means],
    fallback: np.ndarray,
) -> None:
    if not distributed.is_first():
        deque(means, maxlen=0)
        return
    with row_groups(out, classes) as groups:
        for rows, values, there in means:
            values[~there] = fallback
            groups.write(frame[IMAGE_ID].iloc[rows].astype(str).tolist(), values)


def _refuse_values(config: Config) -> None:
    if config.target != "classes":
        raise KitError(
            f"expected classes to stream, got target={config.target}; use predict_classes"
        )
