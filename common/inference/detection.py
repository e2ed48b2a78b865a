"""Predicting boxes with one or more trained runs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
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
from common.inference.budget import Budget
from common.inference.crops import refuse_crops
from common.inference.outcome import Outcome, predicting
from common.inference.predict import (
    load_model,
    look,
    options_of,
    refuse_blend,
    refuse_nothing,
    shares_of,
    sweep,
)
from common.inference.seen_boxes import Boxes, Seen, by_image, certain, join, time_fusion, weighed
from common.inference.spool import Spool
from common.inference.views import Pass, passes_of
from common.keys import BOXES, CONFIDENCE, IMAGE, IMAGE_ID, INDEX, LABELS, SCORES, SIZE
from common.models.detector import make_detector
from common.models.outputs import to_dicts

ROWS = 2**10  # images whose boxes are fused at a time


def predict_boxes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
    iou: float | None = None,
    least: float = 0.0,
) -> pd.DataFrame:
    """Return the frame's ids with columns of arrays, most certain first: boxes, labels, scores.

    All images at once; see `stream_boxes`, which takes the same.
    """
    parts = stream_boxes(checkpoints, frame, options, num_workers, iou, least)
    return pd.concat(parts, ignore_index=True)


def stream_boxes(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
    iou: float | None = None,
    least: float = 0.0,
) -> Iterator[pd.DataFrame]:
    """Yield what `predict_boxes` returns, some images at a time: memory stays flat.

    Boxes are `(K, 4)` xyxy pixels of the file. Several views or checkpoints are fused (see `fuse`)
    by the weights, `fuse_iou` and `fuse_least` of the options; one view of one checkpoint stays as
    the detector gave it. Where there was no time for a checkpoint, the others are fused as if it
    had not been asked for. An image that cannot be read, or for which there was no time, has no
    boxes. Several processes predict each their batches, and all yield the whole.

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
    shares, spool = shares_of(options, len(checkpoints)), Spool(len(frame), ROWS)
    iou = options.fuse_iou if iou is None else iou
    least = least if options.confidence is None else options.confidence
    with predicting(frame) as outcome:
        sizes = _detect(checkpoints, frame, options, num_workers, shares, spool, outcome)
        outcome.share(frame)
        for rows, entries in spool.groups():
            own = sizes[rows].tolist()
            found = zip(by_image(entries, len(own)), own, strict=True)
            kept = [
                certain(join(weighed(seen, shares), size, iou, options.fuse_least), least)
                for seen, size in islice(found, *distributed.part(len(own)))
            ]
            kept = [one for part in distributed.gather(kept) for one in part]
            columns = {key: [one[key] for one in kept] for key in (BOXES, LABELS, SCORES)}
            ids = frame[IMAGE_ID].iloc[rows].astype(str).to_numpy()
            yield pd.DataFrame({IMAGE_ID: ids, **columns})


def _detect(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig,
    num_workers: int | None,
    shares: np.ndarray,
    spool: Spool,
    outcome: Outcome,
) -> np.ndarray:
    """Let all models see all images; return `(N, 2)` heights and widths of the files."""
    sizes, passes = np.zeros((len(frame), 2), np.int64), passes_of(options)
    budget = Budget(options, len(frame), len(checkpoints), len(passes), outcome)
    tried, first = list[Seen](), None  # what is said of one image, to time the fusion
    for number, checkpoint in enumerate(checkpoints):
        if not budget.allows(number):
            break
        model, config = load_model(checkpoint, make_detector, options)
        budget.start_model(number)
        detect = _detector(model.to(find_device()).eval(), passes)
        loader = predict_box_loader(frame, config, num_workers)
        for batch, seen in sweep(loader, detect, frame, budget, outcome):
            rows = batch[INDEX].numpy()
            sizes[rows] = batch[SIZE]
            spool.put(number, rows, seen)
            first = int(rows[-1]) if first is None else first
            tried += [
                (number, one) for place in np.flatnonzero(rows == first) for one in seen[place]
            ]
            time_fusion(weighed(tried, shares), sizes[first], budget)
    return np.max(distributed.gather(sizes), axis=0)


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
