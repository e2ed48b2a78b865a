"""From checkpoints to a valid submission, top to bottom."""

from collections.abc import Sequence
from pathlib import Path

from common.inference.segmentation import predict_masks, threshold_of
from common.submission.masks import write_mask_zip
from competitions.inria_segmentation.data import image_sizes, read_test


def predict(checkpoints: Sequence[Path], data_dir: Path, out: Path) -> Path:
    """Predict the test images with the mean of the checkpoints; write and validate the zip."""
    frame, threshold = read_test(data_dir), threshold_of(checkpoints)
    probabilities = predict_masks(checkpoints, frame)
    masks = ((image_id, found >= threshold) for image_id, found in probabilities)
    return write_mask_zip(masks, out, image_sizes(frame))
