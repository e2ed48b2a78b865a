"""Predicting classes of any number of images into a file."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from common.config import Config, PredictConfig
from common.errors import KitError, cannot_write
from common.inference.each_model import each_model
from common.inference.outcome import predicting
from common.inference.predict import options_of, refuse_nothing, shares_of
from common.inference.stream import RowGroups, merge
from common.keys import IMAGE_ID


def stream_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    out: Path,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
) -> Path:
    """Write what `predict_classes` returns to a parquet file, at a fraction of its memory.

    For test sets of millions of images, or of thousands of classes. Each checkpoint's predictions
    lie in a file beside `out` until their mean is made. To go on, a part at a time:
    `pd.concat(map(to_submission, read_groups(out)))`.

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
    ids, parts = frame[IMAGE_ID].astype(str).tolist(), list[Path]()
    shares = shares_of(options, len(checkpoints)).tolist()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with predicting(frame) as outcome, TemporaryDirectory(dir=out.parent) as folder:
            for one in each_model(checkpoints, frame, options, num_workers, outcome):
                _refuse_values(one.config)
                parts.append(Path(folder) / f"{len(parts)}.parquet")
                groups = RowGroups(parts[-1], ids, one.config.classes, one.config.train.batch_size)
                for rows, values in one.batches:
                    groups.put(rows, values)
                groups.close()
            return merge(parts, shares[: len(parts)], out)
    except OSError as error:
        raise cannot_write(out, error) from error


def _refuse_values(config: Config) -> None:
    if config.target != "classes":
        raise KitError(
            f"expected classes to stream, got target={config.target}; use predict_classes"
        )
