"""Predicting classes with one or more trained runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from common import distributed
from common.checkpoints import load_checkpoint
from common.config import Config, PredictConfig
from common.data.build import predict_loader
from common.errors import KitError
from common.inference.budget import Budget
from common.inference.crops import read_for
from common.inference.grade_cuts import cut_grades, grade_cuts
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
from common.learners.classification import predicted
from common.models.classifier import make_classifier

WHOLE = 1 - 1e-9  # a sum of shares from which on all are in it


def predict_classes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
    decide: bool = True,
) -> pd.DataFrame:
    """Return the frame's ids with mean probabilities, a column per class.

    Several processes predict each their batches, and all return the whole.

    A checkpoint's prediction is the mean of the probabilities over the views of an image, the
    result the mean over checkpoints, weighted by `options.weights`. An image that cannot be read,
    or for which there was no time, gets the mean of all other images.

    Of a regression the columns hold numbers in the target's units. Of grades (target=ordinal) they
    hold 1 at the grade and 0 elsewhere: the expected grade is cut, see `grade_cuts`.

    Args:
        frame: columns image_id and path.
        options: None = as the first checkpoint's config says.
        num_workers: reading processes; None = as each checkpoint was trained with.
        decide: False leaves the probabilities of grades as they are.

    Raises:
        KitError: no image can be read, or the checkpoints have other classes or targets than one
            another.
    """
    refuse_nothing(checkpoints, frame)
    options = options_of(checkpoints, options)
    passes, kind = passes_of(options), None
    shares = shares_of(options, len(checkpoints))
    with predicting(frame) as outcome:
        budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
        total, done = np.empty((0, 0), np.float32), np.zeros(len(frame))
        usual: np.ndarray | float = 0.0
        cuts = list[list[float]]()
        for number, checkpoint in enumerate(checkpoints):
            if not budget.allows(number):
                break
            model, config = load_model(checkpoint, make_classifier)
            budget.start_model(number)
            same = (config.classes, config.target)
            if kind is None:
                kind, total = same, np.zeros((len(frame), len(config.classes)), np.float32)
                usual = _usual(model, config)
            if same != kind:
                raise KitError(
                    "expected checkpoints of the same classes and target; predict with each alone"
                )
            if decide and config.target == "ordinal":
                cuts.append(grade_cuts(checkpoint, load_checkpoint(checkpoint)))
            decode = partial(predicted, multilabel=config.multilabel)
            loader = predict_loader(frame, read_for(config, options), num_workers)
            for rows, values in predict(model, loader, decode, frame, passes, budget, outcome):
                total[rows] += values * np.float32(shares[number])
                done[rows] += shares[number]
        outcome.share(frame)
        _fill(distributed.add_up_array(total), distributed.add_up_array(done), usual)
    total = cut_grades(total, _mean_cuts(cuts, shares)) if cuts else total
    result = pd.DataFrame(total, columns=list(config.classes), copy=False)
    result.insert(0, IMAGE_ID, frame[IMAGE_ID].astype(str).to_numpy())
    return result


def _usual(model: Any, config: Config) -> np.ndarray | float:
    """Return what is predicted where no image was: all alike, or the middle of the training."""
    if config.kind != "regression":
        return 1 / len(config.classes)
    return model.scale(torch.zeros(len(config.classes))).numpy()


def _mean_cuts(found: Sequence[Sequence[float]], shares: np.ndarray) -> list[float]:
    """Return the mean cut points of grades by the shares of their models, and say them."""
    used = shares[: len(found)]
    cuts = np.average(found, 0, used if used.any() else None).tolist()
    print(f"grades: cut at {', '.join(f'{cut:.3f}' for cut in cuts)} of the expected grade")
    return cuts


def _fill(total: np.ndarray, done: np.ndarray, usual: np.ndarray | float) -> None:
    """Make means, in place, of sums over a share of the models, and of none that of the others."""
    short, none = (done > 0) & (done < WHOLE), done == 0
    total[short] /= done[short, None]
    if none.any():
        others = total.mean(0, where=~none[:, None]) if (~none).any() else usual
        total[none] = others
