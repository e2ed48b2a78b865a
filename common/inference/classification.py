"""Predicting classes with one or more trained runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from common.config import PredictConfig
from common.data.build import predict_loader
from common.errors import KitError
from common.inference.budget import Budget
from common.inference.crops import read_for
from common.inference.outcome import Outcome, predicting
from common.inference.plan import read_plan
from common.inference.predict import (
    load_model,
    options_of,
    predict,
    refuse_nothing,
    shares_of,
)
from common.inference.sums import Blended, Mean
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
    result the mean over checkpoints, weighted by `options.weights`, or what the blend of
    `options.blend` makes of them. An image that cannot be read, or for which there was no time,
    gets the mean of all other images.

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
    with predicting(frame) as outcome:
        sums = _sums(options, checkpoints, outcome)
        budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
        for number, checkpoint in enumerate(checkpoints):
            if not budget.allows(number):
                break
            model, config = load_model(checkpoint, make_classifier)
            budget.start_model(number)
            if not number:
                classes = list(config.classes)
                sums.begin(len(frame), len(classes))
            if list(config.classes) != classes:
                raise KitError("expected checkpoints of the same classes; predict with each alone")
            decode = partial(probabilities, multilabel=config.multilabel)
            loader = predict_loader(frame, read_for(config, options), num_workers)
            for rows, values in predict(model, loader, decode, frame, passes, budget, outcome):
                sums.add(number, rows, values)
        total = sums.result()
    result = pd.DataFrame(total, columns=classes, copy=False)
    result.insert(0, IMAGE_ID, frame[IMAGE_ID].astype(str).to_numpy())
    return result


def _sums(options: PredictConfig, checkpoints: Sequence[Path], outcome: Outcome) -> Mean | Blended:
    if not options.blend:
        return Mean(shares_of(options, len(checkpoints)))
    if options.weights:
        raise KitError("expected predict.weights or predict.blend, got both; the blend has its own")
    return Blended(read_plan(options.blend, checkpoints), outcome)
