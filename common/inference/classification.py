"""Predicting classes with one or more trained runs."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd

from common.config import PredictConfig
from common.data.build import predict_loader
from common.errors import KitError, cannot_write
from common.inference.budget import Budget
from common.inference.crops import read_for
from common.inference.outcome import Outcome, predicting
from common.inference.predict import (
    load_model,
    options_of,
    predict,
    refuse_nothing,
    shares_of,
)
from common.inference.stream import WHOLE, RowGroups, merge
from common.inference.views import passes_of
from common.keys import IMAGE_ID
from common.learners.classification import probabilities
from common.models.classifier import make_classifier


def predict_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
) -> pd.DataFrame:
    """Return the frame's ids with mean probabilities, a column per class.

    A checkpoint's prediction is the mean of the probabilities over the views of an image, the
    result the mean over checkpoints, weighted by `options.weights`. An image that cannot be read,
    or for which there was no time, gets the mean of all other images.

    Args:
        frame: columns image_id and path.
        options: None = as the first checkpoint's config says.
        num_workers: reading processes; None = as each checkpoint was trained with.

    Raises:
        KitError: no image can be read, or the checkpoints have other classes than one another.
    """
    with predicting(frame) as outcome:
        total, done = np.empty((0, 0), np.float32), np.zeros(len(frame))
        for one in _each(checkpoints, frame, options, num_workers, outcome):
            if not total.size:
                total = np.zeros((len(frame), len(one.classes)), np.float32)
            for rows, values in one.batches:
                total[rows] += values * np.float32(one.share)
                done[rows] += one.share
        _fill(total, done)
    result = pd.DataFrame(total, columns=one.classes, copy=False)
    result.insert(0, IMAGE_ID, frame[IMAGE_ID].astype(str).to_numpy())
    return result


def stream_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    out: Path,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
) -> Path:
    """Write what `predict_classes` returns to a parquet file; memory does not grow with the images.

    For test sets of millions of images, or of thousands of classes. Each checkpoint's predictions
    lie in a file beside `out` until their mean is made. To go on, a part at a time:
    `pd.concat(map(to_submission, read_groups(out)))`.

    Args:
        out: the file; what was there is replaced in the end, at once.
        checkpoints, frame, options, num_workers: see `predict_classes`.
    """
    ids, parts, shares = frame[IMAGE_ID].astype(str).tolist(), list[Path](), list[float]()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with predicting(frame) as outcome, TemporaryDirectory(dir=out.parent) as folder:
            for one in _each(checkpoints, frame, options, num_workers, outcome):
                parts.append(Path(folder) / f"{len(parts)}.parquet")
                shares.append(one.share)
                groups = RowGroups(parts[-1], ids, one.classes, one.batch_size)
                for rows, values in one.batches:
                    groups.put(rows, values)
                groups.close()
            return merge(parts, shares, out)
    except OSError as error:
        raise cannot_write(out, error) from error


class OneModel(NamedTuple):
    """A checkpoint's predictions to come: rows of the frame, and `(n, C)` probabilities of them."""

    classes: list[str]
    share: float  # in the mean over all checkpoints
    batch_size: int
    batches: Iterator[tuple[np.ndarray, np.ndarray]]


def _each(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None,
    num_workers: int | None,
    outcome: Outcome,
) -> Iterator[OneModel]:
    """Load one checkpoint after the other, as long as there is time."""
    refuse_nothing(checkpoints, frame)
    options = options_of(checkpoints, options)
    passes, classes = passes_of(options), list[str]()
    shares = shares_of(options, len(checkpoints))
    budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
    for number, checkpoint in enumerate(checkpoints):
        if not budget.allows(number):
            break
        model, config = load_model(checkpoint, make_classifier, options)
        budget.start_model(number)
        classes = classes or list(config.classes)
        if list(config.classes) != classes:
            raise KitError("expected checkpoints of the same classes; predict with each alone")
        decode = partial(probabilities, multilabel=config.multilabel)
        loader = predict_loader(frame, read_for(config, options), num_workers)
        batches = predict(model, loader, decode, frame, passes, budget, outcome)
        yield OneModel(classes, float(shares[number]), config.train.batch_size, batches)


def _fill(total: np.ndarray, done: np.ndarray) -> None:
    """Make means, in place, of sums over a share of the models, and of none that of the others."""
    short, none = (done > 0) & (done < WHOLE), done == 0
    total[short] /= done[short, None]
    if none.any():
        others = total.mean(0, where=~none[:, None]) if (~none).any() else 1 / total.shape[1]
        total[none] = others
