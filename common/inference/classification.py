"""Predicting classes with one or more trained runs."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.build import predict_loader
from common.inference.predict import load_model, predict
from common.keys import IMAGE_ID
from common.learners.classification import probabilities
from common.models.classifier import make_classifier


def predict_classes(
    checkpoints: Sequence[Path], frame: pd.DataFrame, num_workers: int | None = None
) -> pd.DataFrame:
    """Return the frame's ids with the mean probabilities of all checkpoints, a column per class.

    Args:
        frame: columns image_id and path.
        num_workers: reading processes; None = as the first checkpoint was trained with.
    """
    total: Any = 0.0
    classes: Sequence[str] = ()
    for checkpoint in checkpoints:
        model, config = load_model(checkpoint, make_classifier)
        loader = predict_loader(frame, config, num_workers)
        ids, values = predict(model, loader, partial(probabilities, multilabel=config.multilabel))
        total, classes = total + values / len(checkpoints), config.classes
    result = pd.DataFrame(total, columns=list(classes))
    result.insert(0, IMAGE_ID, ids)
    return result
