"""The prediction loop: as quick as a bare one, whatever the images are like."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common import distributed
from common.checkpoints import load_checkpoint
from common.config import Config, PredictConfig
from common.environment import device as find_device
from common.environment import to_device
from common.errors import KitError
from common.inference.budget import PASS, READ, Budget
from common.inference.outcome import Outcome
from common.inference.views import Pass
from common.keys import IMAGE, INDEX

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
T = TypeVar("T")
Decode = Callable[[Mapping[str, Any]], Tensor]
MakeModel = Callable[..., nn.Module]


def sweep(
    loader: DataLoader,
    work: Callable[[dict[str, Any], int], T],
    frame: pd.DataFrame,
    budget: Budget,
    outcome: Outcome,
) -> Iterator[tuple[dict[str, Any], T]]:
    """Yield batches, each with what `work` makes of it, as long as there is time.

    Args:
        loader: of `predict_loader`; what cannot be read is told to the outcome and left out. Of
            several processes each has batches of its own.
        work: a batch, and how many passes are granted, to its predictions on the CPU.
        frame: columns image_id and path, whose rows the batches name by INDEX.
    """
    if distributed.size() > 1:
        budget.rows = len(loader.sampler)  # type: ignore[arg-type]
    for batch in loader:
        budget.lap(READ, batch.rows)
        for row, error in batch.broken:
            outcome.lose(frame, row, error)
        passes = budget.passes
        for part in batch.parts:
            yield part, work(part, passes)
        budget.lap(PASS, batch.rows * passes)
        budget.advance(batch.rows)
        if not budget.goes_on():
            return


def predict(
    model: nn.Module,
    loader: DataLoader,
    decode: Decode,
    frame: pd.DataFrame,
    passes: Sequence[Pass],
    budget: Budget,
    outcome: Outcome,
    device: torch.device | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Run the model over the loader; yield rows of the frame and the predictions of each.

    Args:
        decode: outputs of N samples -> `(N, ...)` tensor that is kept.
        passes: over each image; a prediction is the mean over those that the budget grants.
        loader, frame, budget, outcome: see `sweep`.
    """
    device = device or find_device()
    model = model.to(device).eval()

    def work(batch: dict[str, Any], granted: int) -> np.ndarray:
        batch = to_device(batch, device)
        with torch.inference_mode():
            first, *others = (decode(look(model, batch, one)) for one in passes[:granted])
            mean = sum(others, first) / granted if others else first
        return mean.cpu().numpy()

    for batch, values in sweep(loader, work, frame, budget, outcome):
        yield batch[INDEX].numpy(), values


def look(model: nn.Module, batch: Mapping[str, Any], one: Pass) -> Mapping[str, Any]:
    """Return the model's outputs for a pass over a batch.

    Raises:
        KitError: the network takes pictures of one size alone, and the pass has another.
    """
    images = one.image(batch[IMAGE])
    try:
        return model({**batch, IMAGE: images})
    except (AssertionError, RuntimeError) as error:
        if isinstance(error, torch.OutOfMemoryError) or images.shape == one.cut(batch[IMAGE]).shape:
            raise
        shape = f"{images.shape[-2]} x {images.shape[-1]}"
        raise KitError(
            f"expected a network that takes pictures of any size, it refuses {shape} (height x "
            f"width): {error}; set predict.scales=1, and predict.tta=mirrors if they are no squares"
        ) from error


def load_model(
    checkpoint: Path, make_model: MakeModel, options: PredictConfig | None = None
) -> tuple[nn.Module, Config]:
    """Return the trained model and its config; fetches no pretrained weights.

    Args:
        options: `amp` of them says in which precision it is to run; None = float32.
    """
    content = load_checkpoint(checkpoint)
    config = Config.model_validate(content["config"])
    model = make_model(config, load_weights=False)
    model.load_state_dict(content["weights"])
    kind = precision(options, config, find_device()) if options else "none"
    if kind != "none":
        model.forward = torch.autocast(find_device().type, HALF[kind])(model.forward)
    return model, config


def precision(options: PredictConfig, config: Config, device: torch.device) -> str:
    """Return the autocast type to predict in: none, bf16 or fp16; see `predict.amp`."""
    if options.amp != "trained":
        return options.amp
    return config.train.amp if device.type == "cuda" else "none"


def options_of(checkpoints: Sequence[Path], options: PredictConfig | None) -> PredictConfig:
    """Return the options, or else what the first checkpoint's config says."""
    if options is not None:
        return options
    return Config.model_validate(load_checkpoint(checkpoints[0])["config"]).predict


def shares_of(options: PredictConfig, models: int) -> np.ndarray:
    """Return each checkpoint's share in the mean, `(M,)` that add up to 1.

    Raises:
        KitError: there are more weights or fewer than checkpoints, or all are 0.
    """
    weights = np.array(options.weights or [1.0] * models)
    if len(weights) != models or not weights.sum() > 0:
        raise KitError(
            f"expected a positive weight for each of {models} checkpoints in predict.weights, got "
            f"{list(options.weights)}; name as many, or none"
        )
    return weights / weights.sum()


def refuse_blend(options: PredictConfig, task: str) -> None:
    """Raise where a blend of classes is asked for and there are none."""
    if options.blend:
        raise KitError(f"expected no predict.blend for {task}, which it cannot combine; leave it")


def refuse_nothing(checkpoints: Sequence[Path], frame: pd.DataFrame) -> None:
    """Raise unless there is something to predict, and something to predict it with."""
    if not checkpoints:
        raise KitError("expected a checkpoint at least, got none; kit train makes one")
    if frame.empty:
        raise KitError("expected images to predict, got none; is the test folder empty?")
