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

from common import distributed
from common.checkpoints import load_checkpoint
from common.config import Config, PredictConfig
from common.data.mapped import open_picture
from common.data.sizes import Sizes
from common.environment import device as find_device
from common.errors import KitError
from common.inference.budget import PASS, READ, Budget
from common.inference.crops import refuse_crops
from common.inference.outcome import Outcome, predicting
from common.inference.predict import (
    load_model,
    look,
    options_of,
    refuse_blend,
    refuse_nothing,
    shares_of,
)
from common.inference.tiles import predict_tiled
from common.inference.views import Pass, passes_of
from common.keys import IMAGE, IMAGE_ID, MASK_LOGITS, PATH, THRESHOLD
from common.models.segmenter import MULTIPLE, make_segmenter, mask_probabilities

Network = tuple["Views", Config]


class Views(nn.Module):
    """A model whose logits are the mean over several passes over pictures.

    Args:
        model: dict in, dict out.
        passes: the first `granted` of them are made, at first all.
    """

    def __init__(self, model: nn.Module, passes: Sequence[Pass]) -> None:
        super().__init__()
        self.model, self.passes, self.granted = model, list(passes), len(passes)

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return MASK_LOGITS `(N, C, H, W)`."""
        size = (batch[IMAGE].shape[-1], batch[IMAGE].shape[-2])
        logits = [
            one.inverse_image(look(self.model, {IMAGE: batch[IMAGE]}, one)[MASK_LOGITS], size)
            for one in self.passes[: self.granted]
        ]
        return {MASK_LOGITS: sum(logits[1:], logits[0]) / len(logits)}


def predict_masks(
    checkpoints: Sequence[Path],
    frame: pd.DataFrame,
    options: PredictConfig | None = None,
    num_workers: int | None = None,
    tile: int | None = None,
    step: int | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield image_id and mean probability, `(H, W)` of one class or `(C, H, W)`, of each image.

    One at a time, for all of them seldom fit into memory; the next pictures are read meanwhile.
    Several processes predict each an image of as many, and all yield all of them.
    An image that cannot be read, or for which there was no time, has an empty mask of the size
    that its header says, or else of the most common size; see `common.data.sizes`.

    Args:
        frame: columns image_id and path.
        options: None = as the first checkpoint's config says; views and scales are averaged as
            logits, checkpoints as probabilities.
        num_workers: threads that read pictures; None = as the first checkpoint was trained with.
        tile: pixels, a multiple of 32; None: the windows of the training, or twice as much up to
            512, for the larger a tile the smaller the share of its edges; no more than the picture.
        step: pixels from one tile to the next; see `predict_tiled`.

    Raises:
        KitError: no image can be read, or the checkpoints have other classes than one another.
    """
    refuse_nothing(checkpoints, frame)
    options, device = options_of(checkpoints, options), find_device()
    refuse_crops(options, "masks")
    refuse_blend(options, "masks")
    passes, sizes = passes_of(options), Sizes(frame)
    with predicting(frame) as outcome:
        loaded = [load_model(one, make_segmenter, options) for one in checkpoints]
        if len({len(config.classes) for _, config in loaded}) != 1:
            raise KitError("expected checkpoints of the same classes; predict with each on its own")
        networks = [(Views(model, passes).to(device).eval(), config) for model, config in loaded]
        shares = shares_of(options, len(networks))
        mine = np.arange(distributed.rank(), len(frame), distributed.size())
        budget = Budget(options, len(mine), len(networks), len(passes), outcome, by_image=True)
        workers = loaded[0][1].data.num_workers if num_workers is None else num_workers

        def work() -> Iterator[tuple[str, np.ndarray]]:
            for row, image in _readable(frame, mine, workers, budget, outcome):
                budget.lap(READ, 1)
                if image is None:
                    found = _empty(sizes.of(row), len(loaded[0][1].classes))
                else:
                    given = networks[: budget.models]
                    found = _mean(given, shares, image, budget.passes, tile, step)
                    budget.lap(PASS, budget.models * budget.passes)
                yield str(frame[IMAGE_ID].iloc[row]), found
                budget.advance(1)

        yield from distributed.in_turns(work(), len(frame))
        outcome.share(frame)


def _mean(
    networks: Sequence[Network],
    shares: np.ndarray,
    image: np.ndarray,
    granted: int,
    tile: int | None,
    step: int | None,
) -> np.ndarray:
    """Return the weighted mean of a picture's probabilities over networks of so many passes."""
    device = find_device()
    total: Any = 0.0
    for (network, config), share in zip(networks, shares, strict=False):  # the first may do
        network.granted = granted
        side, batch_size = _tiles(config, image, tile, device)
        found = predict_tiled(
            network, image, mask_probabilities, side, step, None, batch_size, device
        )
        total += found * np.float32(share)
    given_up = len(networks) < len(shares) and shares[: len(networks)].sum() > 0
    return total / np.float32(shares[: len(networks)].sum()) if given_up else total


def _empty(size: tuple[int, int], num_classes: int) -> np.ndarray:
    """Return probabilities without a doubt of nothing: no object, or background alone."""
    if num_classes == 1:
        return np.zeros(size, np.float32)
    found = np.zeros((num_classes, *size), np.float32)
    found[0] = 1
    return found


def threshold_of(checkpoints: Sequence[Path]) -> float:
    """Return the mean of the thresholds that the trainings tuned, 0.5 where there is none.

    What `kit oof` tuned is in `common.inference.decisions.mask_rule`.
    """
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


def _readable(
    frame: pd.DataFrame, mine: np.ndarray, num_workers: int, budget: Budget, outcome: Outcome
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Yield my rows and pictures; None in place of a broken one, and of all when time is over."""
    rows, done = mine.tolist(), 0
    for picture in _read_ahead(frame[PATH].iloc[rows].astype(str).tolist(), num_workers):
        row = rows[done]
        if isinstance(picture, Exception):
            outcome.lose(frame, row, str(picture) or type(picture).__name__)
        yield row, None if isinstance(picture, Exception) else picture
        done += 1
        if not budget.goes_on():
            break
    for rest in rows[done:]:
        yield rest, None


def _read_ahead(paths: Sequence[str], num_workers: int) -> Iterator[np.ndarray | Exception]:
    """Yield each picture, or what is wrong with it."""
    if not num_workers:
        yield from map(_read, paths)
        return
    waiting: deque[Future[np.ndarray | Exception]] = deque()
    with ThreadPoolExecutor(num_workers) as pool:
        for path in paths:
            waiting.append(pool.submit(_read, path))
            if len(waiting) > num_workers:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


def _read(path: str) -> np.ndarray | Exception:
    try:
        return open_picture(path)
    except Exception as error:  # what a file can do to a decoder has no common base class
        return error
