"""The prediction loop: as quick as a bare one, with memory allocated once."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.checkpoints import load_checkpoint
from common.config import Config
from common.environment import device as find_device
from common.environment import to_device
from common.errors import KitError
from common.keys import IMAGE_ID

Decode = Callable[[Mapping[str, Any]], Tensor]
MakeModel = Callable[..., nn.Module]


def predict(
    model: nn.Module, loader: DataLoader, decode: Decode, device: torch.device | None = None
) -> tuple[list[str], np.ndarray]:
    """Run the model over the loader.

    Args:
        decode: outputs of N samples -> `(N, ...)` tensor that is kept.

    Returns:
        The N_all ids in the loader's order and an array `(N_all, ...)`.
    """
    device = device or find_device()
    model = model.to(device).eval()
    ids: list[str] = []
    kept: np.ndarray | None = None
    with torch.inference_mode():
        for batch in loader:
            values = decode(model(to_device(batch, device))).cpu().numpy()
            if kept is None:
                kept = np.empty((len(loader.dataset), *values.shape[1:]), values.dtype)  # type: ignore[arg-type]
            kept[len(ids) : len(ids) + len(values)] = values
            ids.extend(batch[IMAGE_ID])
    if kept is None:
        raise KitError("expected images to predict, got none; is the test folder empty?")
    return ids, kept


def load_model(checkpoint: Path, make_model: MakeModel) -> tuple[nn.Module, Config]:
    """Return the trained model and its config; fetches no pretrained weights."""
    content = load_checkpoint(checkpoint)
    config = Config.model_validate(content["config"])
    model = make_model(config, load_weights=False)
    model.load_state_dict(content["weights"])
    return model, config
