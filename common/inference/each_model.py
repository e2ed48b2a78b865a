"""One trained classifier after the other, each with its predictions to come."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.config import Config, PredictConfig
from common.data.build import predict_loader
from common.errors import KitError
from common.inference.budget import Budget
from common.inference.crops import read_for
from common.inference.outcome import Outcome
from common.inference.predict import load_model, predict
from common.inference.views import passes_of
from common.models.classifier import make_classifier
from common.models.outputs import predicted


class OneModel(NamedTuple):
    """A checkpoint's predictions to come: rows of the frame, and `(n, C)` values of them."""

    model: Any  # a Classifier
    config: Config
    checkpoint: Path
    batches: Iterator[tuple[np.ndarray, np.ndarray]]


def each_model(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig,
    num_workers: int | None,
    outcome: Outcome,
) -> Iterator[OneModel]:
    """Load one checkpoint after the other, as long as there is time.

    Raises:
        KitError: the checkpoints have other classes or targets than one another.
    """
    passes, kinds = passes_of(options), set()
    budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
    for number, checkpoint in enumerate(checkpoints):
        if not budget.allows(number):
            break
        model, config = load_model(checkpoint, make_classifier, options)
        budget.start_model(number)
        kinds.add((config.classes, config.target))
        if len(kinds) > 1:
            raise KitError(
                "expected checkpoints of the same classes and target; predict with each alone"
            )
        decode = partial(predicted, multilabel=config.multilabel)
        loader = predict_loader(frame, read_for(config, options), num_workers)
        batches = predict(model, loader, decode, frame, passes, budget, outcome)
        yield OneModel(model, config, checkpoint, batches)
