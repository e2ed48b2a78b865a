"""From checkpoints to a valid submission, top to bottom."""

from collections.abc import Sequence
from pathlib import Path

from common.config import PredictConfig
from common.inference.classification import predict_classes
from common.submission.writer import write_submission
from competitions.alaska2_classification.data import (
    RULES,
    read_test,
    sample_submission,
    to_submission,
)


def predict(
    checkpoints: Sequence[Path],
    data_dir: Path,
    out: Path,
    options: PredictConfig | None = None,
) -> Path:
    """Predict the test images with the mean of the checkpoints; write and validate `out`.

    Args:
        options: None = as the first checkpoint's config says.
    """
    predictions = predict_classes(checkpoints, read_test(data_dir), options)
    submission = to_submission(predictions)
    return write_submission(submission, out, sample_submission(data_dir), RULES)
