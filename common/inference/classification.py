"""Predicting classes with one or more trained runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from common.checkpoints import load_checkpoint
from common.config import PredictConfig
from common.errors import KitError
from common.inference.each_model import OneModel, each_model
from common.inference.grade_cuts import check_cuts, cut_grades, grade_cuts
from common.inference.outcome import Outcome, predicting
from common.inference.plan import read_plan
from common.inference.predict import options_of, refuse_nothing, shares_of
from common.inference.sums import Blended, Mean, fill
from common.keys import IMAGE_ID


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
    result the mean over checkpoints, weighted by `options.weights`, or what the blend of
    `options.blend` makes of them. An image that cannot be read, or for which there was no time,
    gets the mean of all other images.

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
    usual: np.ndarray | float = 0.0
    classes, cuts = list[str](), list[list[float]]()
    with predicting(frame) as outcome:
        sums = _sums(options, checkpoints, outcome)
        models = each_model(checkpoints, frame, options, num_workers, outcome)
        for number, one in enumerate(models):
            if not number:
                classes, usual = list(one.config.classes), _usual(one)
                sums.begin(len(frame), len(classes))
            if decide and one.config.target == "ordinal":
                own = grade_cuts(one.checkpoint, load_checkpoint(one.checkpoint))
                cuts.append(check_cuts(options.grade_cuts, own))
            for rows, values in one.batches:
                sums.add(number, rows, values)
        total = _of_all(sums, usual, frame, outcome)
    total = cut_grades(total, _mean_cuts(cuts, sums.shares)) if cuts else total
    result = pd.DataFrame(total, columns=classes, copy=False)
    result.insert(0, IMAGE_ID, frame[IMAGE_ID].astype(str).to_numpy())
    return result


def _sums(options: PredictConfig, checkpoints: Sequence[Path], outcome: Outcome) -> Mean | Blended:
    if not options.blend:
        return Mean(shares_of(options, len(checkpoints)))
    if options.weights:
        raise KitError("expected predict.weights or predict.blend, got both; the blend has its own")
    return Blended(read_plan(options.blend, checkpoints), outcome)


def _of_all(
    sums: Mean | Blended, usual: np.ndarray | float, frame: pd.DataFrame, outcome: Outcome
) -> np.ndarray:
    """Return `(N, C)`; an image that nobody predicted gets the others' mean."""
    total, there = sums.finish()
    outcome.share(frame)
    return fill(total, ~there, usual)


def _usual(one: OneModel) -> np.ndarray | float:
    """Return what is predicted where no image was: all alike, or the middle of the training."""
    classes = one.config.classes
    if one.config.kind != "regression":
        return 1 / len(classes)
    return one.model.scale(torch.zeros(len(classes))).numpy()


def _mean_cuts(found: Sequence[Sequence[float]], shares: np.ndarray) -> list[float]:
    """Return the mean cut points of grades by the shares of their models, and say them."""
    used = shares[: len(found)]
    cuts = np.average(found, 0, used if used.any() else None).tolist()
    print(f"grades: cut at {', '.join(f'{cut:.3f}' for cut in cuts)} of the expected grade")
    return cuts
