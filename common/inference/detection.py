"""Predicting boxes with one or more trained runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.checkpoints import load_checkpoint
from common.data.build_boxes import predict_box_loader
from common.environment import device as find_device
from common.errors import KitError
from common.inference.boxes import detect_views, fuse
from common.inference.predict import load_model
from common.keys import BOXES, IMAGE, IMAGE_ID, LABELS, SCORES, SIZE
from common.learners.detection import CONFIDENCE, to_dicts
from common.models.detector import make_detector

Boxes = dict[str, Any]


def predict_boxes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    num_workers: int | None = None,
    views: Sequence[str] = ("e",),
    iou: float = 0.55,
    least: float = 0.0,
) -> pd.DataFrame:
    """Return the frame's ids with columns of arrays, most certain first: boxes, labels, scores.

    Boxes are `(K, 4)` xyxy pixels of the file. Several views or checkpoints are fused (see `fuse`);
    one view of one checkpoint stays as the detector gave it.

    Args:
        frame: columns image_id and path.
        num_workers: reading processes; None = as each checkpoint was trained with.
        views: of every picture, names in `common.inference.boxes.VIEWS`.
        iou: above which boxes of one class are one.
        least: score from which on a box is returned; see `confidence_of`.
    """
    found: list[list[Boxes]] = []
    sizes: list[tuple[int, int]] = []
    ids: list[str] = []
    for number, checkpoint in enumerate(checkpoints):
        model, config = load_model(checkpoint, make_detector)
        loader = predict_box_loader(frame, config, num_workers)
        for row, (image_id, size, predictions) in enumerate(_detect(model, loader, views)):
            if number:
                found[row] += predictions
            else:
                found.append(predictions)
                sizes.append(size)
                ids.append(image_id)
    fused = [
        own[0] if len(own) == 1 else fuse(own, size, iou)
        for own, size in zip(found, sizes, strict=True)
    ]
    kept = [_certain(own, least) for own in fused]
    columns = {key: [own[key] for own in kept] for key in (BOXES, LABELS, SCORES)}
    return pd.DataFrame({IMAGE_ID: ids, **columns})


def _certain(found: Boxes, least: float) -> Boxes:
    rows = found[SCORES] >= least
    return {key: values[rows] for key, values in found.items()}


def confidence_of(checkpoints: Sequence[Path]) -> float:
    """Return the mean of the confidence thresholds that were tuned on each run's validation."""
    thresholds = [load_checkpoint(checkpoint)["thresholds"] for checkpoint in checkpoints]
    for checkpoint, values in zip(checkpoints, thresholds, strict=True):
        if CONFIDENCE not in values:
            raise KitError(
                f"expected a threshold '{CONFIDENCE}' in '{checkpoint}', found {sorted(values)}; "
                "take a checkpoint that was saved after a validation"
            )
    return float(np.mean([values[CONFIDENCE] for values in thresholds]))


def _detect(
    model: nn.Module, loader: DataLoader, views: Sequence[str]
) -> Iterator[tuple[str, tuple[int, int], list[Boxes]]]:
    """Yield id, (width, height) of the file and the boxes of every view, in pixels of the file."""
    device = find_device()
    model = model.to(device).eval()

    def detect(images: Tensor) -> list[Boxes]:
        return to_dicts(model({IMAGE: images}), (BOXES, LABELS, SCORES))

    for batch in loader:
        images = batch[IMAGE].to(device, non_blocking=True)
        with torch.inference_mode():
            seen = detect_views(detect, images, views)
        for image_id, (height, width), own in zip(
            batch[IMAGE_ID], batch[SIZE].tolist(), seen, strict=True
        ):
            scale = np.array((width / images.shape[-1], height / images.shape[-2]) * 2)
            yield image_id, (width, height), [{**one, BOXES: one[BOXES] * scale} for one in own]
