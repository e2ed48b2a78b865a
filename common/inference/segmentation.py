"""Predicting masks with one or more trained runs, image by image."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from common.checkpoints import load_checkpoint
from common.config import Config
from common.data.mapped import open_picture
from common.environment import device as find_device
from common.errors import KitError, did_you_mean
from common.inference.boxes import VIEWS
from common.inference.predict import load_model
from common.inference.tiles import predict_tiled
from common.keys import IMAGE, IMAGE_ID, MASK_LOGITS, PATH
from common.models.segmenter import MULTIPLE, THRESHOLD, make_segmenter, mask_probabilities


class Views(nn.Module):
    """A model whose logits are the mean over turned and mirrored views of square pictures.

    Args:
        model: dict in, dict out.
        views: names in `inference.boxes.VIEWS`.
    """

    def __init__(self, model: nn.Module, views: Sequence[str]) -> None:
        super().__init__()
        for name in views:
            if name not in VIEWS:
                raise KitError(f"expected a view, got '{name}'; {did_you_mean(name, VIEWS)}")
        self.model, self.views = model, [VIEWS[name] for name in views]

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return MASK_LOGITS `(N, C, H, W)`."""
        logits = [
            view.inverse_image(self.model({IMAGE: view.image(batch[IMAGE])})[MASK_LOGITS])
            for view in self.views
        ]
        return {MASK_LOGITS: sum(logits[1:], logits[0]) / len(logits)}


def predict_masks(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    num_workers: int | None = None,
    views: Sequence[str] = ("e",),
    tile: int | None = None,
    step: int | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield image_id and mean probability, `(H, W)` of one class or `(C, H, W)`, of each image.

    One at a time, for all of them seldom fit into memory; the next pictures are read meanwhile.

    Args:
        frame: columns image_id and path.
        num_workers: threads that read pictures; None = as the first checkpoint was trained with.
        views: of test-time augmentation, names in `inference.boxes.VIEWS`; a mean of logits.
        tile: pixels, a multiple of 32; None: the windows of the training, or twice as much up to
            512, for the larger a tile the smaller the share of its edges; no more than the picture.
        step: pixels from one tile to the next; see `predict_tiled`.
    """
    device = find_device()
    loaded = [load_model(checkpoint, make_segmenter) for checkpoint in checkpoints]
    if len({len(config.classes) for _, config in loaded}) != 1:
        raise KitError("expected checkpoints of the same classes; predict with each on its own")
    networks = [(Views(model, views).to(device).eval(), config) for model, config in loaded]
    workers = loaded[0][1].data.num_workers if num_workers is None else num_workers
    for image_id, image in _read_ahead(frame, workers):
        total: Any = 0.0
        for network, config in networks:
            side, batch_size = _tiles(config, image, tile, device)
            total += predict_tiled(
                network, image, mask_probabilities, side, step, None, batch_size, device
            )
        total /= len(networks)
        yield image_id, total


def threshold_of(checkpoints: Sequence[Path]) -> float:
    """Return the mean of the thresholds that the trainings tuned, 0.5 where there is none."""
    kept = [load_checkpoint(checkpoint)["thresholds"] for checkpoint in checkpoints]
    return float(np.mean([thresholds.get(THRESHOLD, 0.5) for thresholds in kept]))


def _tiles(
    config: Config, image: np.ndarray, tile: int | None, device: torch.device
) -> tuple[int, int]:
    """Return the side of the tiles, and how many to predict at a time."""
    window = config.data.img_size or max(image.shape[:2])
    whole = -(-max(image.shape[:2]) // MULTIPLE) * MULTIPLE
    side = tile or min(max(window, min(2 * window, 512)), whole)
    if device.type == "cpu":  # where batches gain no time, and cost memory
        return side, 1
    return side, max(config.train.batch_size * window**2 // side**2, 1)


def _read_ahead(frame: pd.DataFrame, num_workers: int) -> Iterator[tuple[str, np.ndarray]]:
    pairs = zip(frame[IMAGE_ID].astype(str), frame[PATH].astype(str), strict=True)
    if not num_workers:
        yield from ((image_id, open_picture(path)) for image_id, path in pairs)
        return
    waiting: deque[tuple[str, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(num_workers) as pool:
        for image_id, path in pairs:
            waiting.append((image_id, pool.submit(open_picture, path)))
            if len(waiting) > num_workers:
                first, picture = waiting.popleft()
                yield first, picture.result()
        for first, picture in waiting:
            yield first, picture.result()
