"""Statistics of batch norms for weights that no training step has seen."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from common.checkpoints import random_state, restore_random_state
from common.environment import to_device


def recompute_norms(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], device: torch.device
) -> None:
    """Let every batch norm see the batches, from the beginning, and take their mean statistics.

    A network without batch norms costs nothing. Random states stay as they were, for dropout draws.
    """
    state = random_state()
    try:
        update_bn((to_device(batch, device) for batch in batches), model)
    finally:
        restore_random_state(state)
