"""Statistics of batch norms for weights that no training step has seen."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from common.checkpoints import random_state, restore_random_state
from common.environment import to_device


def recompute_norms(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], device: torch.device
) -> None:
    """Let every batch norm see the batches, from the beginning, and take their mean statistics.

    A network without batch norms costs nothing. Random states, for dropout draws, and all other
    buffers stay as they were.
    """
    state, others = random_state(), _other_buffers(model)
    kept = [buffer.clone() for buffer in others]
    try:
        update_bn((to_device(batch, device) for batch in batches), model)
    finally:
        restore_random_state(state)
        for buffer, value in zip(others, kept, strict=True):
            buffer.copy_(value)


def _other_buffers(model: nn.Module) -> list[Tensor]:
    """Return the buffers that belong to no batch norm, such as a running count of boxes."""
    modules = (module for module in model.modules() if not isinstance(module, _BatchNorm))
    return [buffer for module in modules for buffer in module.buffers(recurse=False)]
