"""From checkpoints to a valid submission, top to bottom."""

from collections.abc import Sequence
from pathlib import Path

from common.config import PredictConfig
from common.data.sizes import image_sizes
from common.inference.decisions import mask_rule
from common.inference.segmentation import predict_masks
from common.submission.masks import write_mask_zip
from competitions.inria_segmentation.data import read_test


def predict(
    checkpoints: Sequence[Path],
    data_dir: Path,
    out: Path,
    options: PredictConfig | None = None,
) -> Path:
    """Predict the test images with the mean of the checkpoints; write and validate the zip.

    Args:
        options: None = as the first checkpoint's config says.
    """
    frame, rule = read_test(data_dir), mask_rule(checkpoints, options)
    probabilities = predict_masks(checkpoints, frame, options)
    masks = ((image_id, rule.foreground(found)) for image_id, found in probabilities)
    return write_mask_zip(masks, out, image_sizes(frame))
