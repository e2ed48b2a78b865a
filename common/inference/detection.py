"""Predicting boxes with one or more trained runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from common import distributed
from common.checkpoints import load_checkpoint
from common.config import PredictConfig
from common.data.build_boxes import predict_box_loader
from common.environment import device as find_device
from common.errors import KitError
from common.inference.boxes import fuse
from common.inference.budget import FUSE, Budget
from common.inference.crops import refuse_crops
from common.inference.outcome import predicting
from common.inference.predict import (
    load_model,
    look,
    options_of,
    refuse_blend,
    refuse_nothing,
    shares_of,
    sweep,
)
from common.inference.views import Pass, passes_of
from common.keys import BOXES, CONFIDENCE, IMAGE, IMAGE_ID, INDEX, LABELS, SCORES, SIZE
from common.models.detector import make_detector
from common.models.outputs import to_dicts

Boxes = dict[str, Any]
Seen = tuple[int, Boxes]  # by which model


def predict_boxes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
    iou: float | None = None,
    least: float = 0.0,
) -> pd.DataFrame:
    """Return the frame's ids with columns of arrays, most certain first: boxes, labels, scores.

    Boxes are `(K, 4)` xyxy pixels of the file. Several views or checkpoints are fused (see `fuse`)
    by the weights, `fuse_iou` and `fuse_least` of the options; one view of one checkpoint stays as
    the detector gave it. Where there was no time for a checkpoint, the others are fused as if it
    had not been asked for. An image that cannot be read, or for which there was no time, has no
    boxes. Several processes predict each their batches, and all return the whole.

    Args:
        frame: columns image_id and path.
        options: None = as the first checkpoint's config says.
        num_workers: reading processes; None = as each checkpoint was trained with.
        iou: above which boxes of one class are one; None = `options.fuse_iou`.
        least: score from which on a box is returned, where `options.confidence` says none; see
            `confidence_of`.

    Raises:
        KitError: no image can be read.
    """
    refuse_nothing(checkpoints, frame)
    options = options_of(checkpoints, options)
    refuse_crops(options, "boxes")
    refuse_blend(options, "boxes")
    shares, passes = shares_of(options, len(checkpoints)), passes_of(options)
    iou = options.fuse_iou if iou is None else iou
    least = least if options.confidence is None else options.confidence
    found: list[list[Seen]] = [[] for _ in range(len(frame))]
    sizes = np.zeros((len(frame), 2), np.int64)  # height and width of the files
    with predicting(frame) as outcome:
        budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
        for number, checkpoint in enumerate(checkpoints):
            if not budget.allows(number):
                break
            model, config = load_model(checkpoint, make_detector, options)
            budget.start_model(number)
            detect = _detector(model.to(find_device()).eval(), passes)
            loader = predict_box_loader(frame, config, num_workers)
            for batch, seen in sweep(loader, detect, frame, budget, outcome):
                sizes[batch[INDEX]] = batch[SIZE]
                for row, own in zip(batch[INDEX].tolist(), seen, strict=True):
                    found[row] += [(number, one) for one in own]
                _time_fusion(_weighed(found[row], shares), sizes[row], budget)
        outcome.share(frame)
        found, sizes = _gather(found, sizes)
        start, end = distributed.part(len(frame))
        kept = [
            _certain(_join(_weighed(own, shares), size, iou, options.fuse_least), least)
            for own, size in zip(found[start:end], sizes[start:end].tolist(), strict=True)
        ]
        kept = [one for part in distributed.gather(kept) for one in part]
    columns = {key: [own[key] for own in kept] for key in (BOXES, LABELS, SCORES)}
    return pd.DataFrame({IMAGE_ID: frame[IMAGE_ID].astype(str).to_numpy(), **columns})


def _gather(found: list[list[Seen]], sizes: np.ndarray) -> tuple[list[list[Seen]], np.ndarray]:
    """Return what all processes saw of each image, by model, and the images' sizes."""
    if distributed.size() == 1:
        return found, sizes
    for others in zip(found, *distributed.gather(found), strict=True):
        others[0][:] = sorted((one for own in others[1:] for one in own), key=lambda one: one[0])
    return found, np.max(distributed.gather(sizes), axis=0)


def _weighed(own: Sequence[Seen], shares: np.ndarray) -> list[tuple[Boxes, float]]:
    return [(one, float(shares[number])) for number, one in own]


def _join(
    found: Sequence[tuple[Boxes, float]], size: Sequence[int], iou: float, skip: float
) -> Boxes:
    """Return one prediction of all that were made of an image of (height, width), by weight."""
    weighed = [pair for pair in found if pair[1] > 0]
    if not weighed:
        none = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.float32)
        return dict(zip((BOXES, LABELS, SCORES), none, strict=True))
    predictions, weights = zip(*weighed, strict=True)
    if len(predictions) == 1:
        return predictions[0]
    return fuse(predictions, (size[1], size[0]), iou, skip, weights)


def _time_fusion(found: Sequence[tuple[Boxes, float]], size: Sequence[int], budget: Budget) -> None:
    """Tell a budget with a limit how long it takes to fuse, which is done in the end."""
    if not budget.limit or len(found) < 2 or budget.knows(FUSE):
        return
    for _ in range(2):  # the first one compiles
        with budget.aside(FUSE, len(found)):
            fuse([one for one, _ in found], (size[1], size[0]))


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


def _detector(
    model: nn.Module, passes: Sequence[Pass]
) -> Callable[[dict[str, Any], int], list[list[Boxes]]]:
    """Return a function of a batch, for `sweep`: the boxes of every pass, in pixels of the file."""
    device = find_device()

    def work(batch: dict[str, Any], granted: int) -> list[list[Boxes]]:
        images = batch[IMAGE].to(device, non_blocking=True)
        with torch.inference_mode():
            seen = detect_passes(model, images, passes[:granted])
        scales = [
            np.array((width / images.shape[-1], height / images.shape[-2]) * 2)
            for height, width in batch[SIZE].tolist()
        ]
        return [
            [{**one, BOXES: one[BOXES] * scale} for one in own]
            for own, scale in zip(seen, scales, strict=True)
        ]

    return work


def detect_passes(model: nn.Module, images: Tensor, passes: Sequence[Pass]) -> list[list[Boxes]]:
    """Run a detector several times over `(N, 3, H, W)`; its boxes are turned back.

    Returns:
        N lists, each with the prediction of every pass: what `fuse` takes.
    """
    size = (images.shape[-1], images.shape[-2])
    found: list[list[Boxes]] = [[] for _ in range(len(images))]
    for one in passes:
        outputs = to_dicts(look(model, {IMAGE: images}, one), (BOXES, LABELS, SCORES))
        for own, prediction in zip(found, outputs, strict=True):
            own.append({**prediction, BOXES: one.inverse_boxes(prediction[BOXES], size)})
    return found
