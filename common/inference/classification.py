"""Predicting classes with one or more trained runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from common import distributed
from common.config import PredictConfig
from common.data.build import predict_loader
from common.errors import KitError
from common.inference.budget import Budget
from common.inference.crops import read_for
from common.inference.outcome import predicting
from common.inference.predict import (
    load_model,
    options_of,
    predict,
    refuse_nothing,
    shares_of,
)
from common.inference.views import passes_of
from common.keys import IMAGE_ID
from common.learners.classification import probabilities
from common.models.classifier import make_classifier

WHOLE = 1 - 1e-9  # a sum of shares from which on all are in it


def predict_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
) -> pd.DataFrame:
    """Return the frame's ids with mean probabilities, a column per class.

    Several processes predict each their batches, and all return the whole.

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
    refuse_nothing(checkpoints, frame)
    options = options_of(checkpoints, options)
    passes, classes = passes_of(options), list[str]()
    shares = shares_of(options, len(checkpoints))
    with predicting(frame) as outcome:
        budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
        total, done = np.empty((0, 0), np.float32), np.zeros(len(frame))
        for number, checkpoint in enumerate(checkpoints):
            if not budget.allows(number):
                break
            model, config = load_model(checkpoint, make_classifier)
            budget.start_model(number)
            if not number:
                classes = list(config.classes)
                total = np.zeros((len(frame), len(classes)), np.float32)
            if list(config.classes) != classes:
                raise KitError("expected checkpoints of the same classes; predict with each alone")
            decode = partial(probabilities, multilabel=config.multilabel)
            loader = predict_loader(frame, read_for(config, options), num_workers)
            for rows, values in predict(model, loader, decode, frame, passes, budget, outcome):
                total[rows] += values * np.float32(shares[number])
                done[rows] += shares[number]
        outcome.share(frame)
        _fill(distributed.add_up_array(total), distributed.add_up_array(done))
    result = pd.DataFrame(total, columns=classes, copy=False)
    result.insert(0, IMAGE_ID, frame[IMAGE_ID].astype(str).to_numpy())
    return result


def _fill(total: np.ndarray, done: np.ndarray) -> None:
    """Make means, in place, of sums over a share of the models, and of none that of the others."""
    short, none = (done > 0) & (done < WHOLE), done == 0
    total[short] /= done[short, None]
    if none.any():
        others = total.mean(0, where=~none[:, None]) if (~none).any() else 1 / total.shape[1]
        total[none] = others
