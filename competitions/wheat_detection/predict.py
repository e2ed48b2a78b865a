"""From checkpoints to a valid submission, top to bottom."""

from collections.abc import Sequence
from pathlib import Path

from common.config import PredictConfig
from common.inference.detection import confidence_of, stream_boxes
from common.submission.writer import write_submission
from competitions.wheat_detection.data import RULES, read_test, sample_submission, to_submission


def predict(
    checkpoints: Sequence[Path],
    data_dir: Path,
    out: Path,
    options: PredictConfig | None = None,
) -> Path:
    """Predict the test images with the boxes of all checkpoints; write and validate `out`.

    Args:
        options: None = as the first checkpoint's config says.
    """
    frame = read_test(data_dir)
    found = stream_boxes(checkpoints, frame, options, least=confidence_of(checkpoints))
    return write_submission(map(to_submission, found), out, sample_submission(data_dir), RULES)
