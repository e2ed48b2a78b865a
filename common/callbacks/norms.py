"""Statistics of batch norms for weights that no training step has seen."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from common import distributed
from common.checkpoints import random_state, restore_random_state
from common.environment import to_device


def recompute_norms(
    model: nn.Module, batches: Iterable[Mapping[str, Any]], device: torch.device
) -> None:
    """Let every batch norm see the batches, from the beginning, and take their mean statistics.

    A network without batch norms costs nothing. Random states, for dropout draws, and all other
    buffers stay as they were. Of several processes each gives batches of its own, be it none, and
    all have the mean over all of them.
    """
    state, others = random_state(), _other_buffers(model)
    kept = [buffer.clone() for buffer in others]
    try:
        with by_itself(model):
            update_bn((to_device(batch, device) for batch in batches), model)
        _pool(model)
    finally:
        restore_random_state(state)
        for buffer, value in zip(others, kept, strict=True):
            buffer.copy_(value)


@contextmanager
def by_itself(model: nn.Module) -> Iterator[None]:
    """Within, the process runs the model on its own part: others may have nothing to run it on."""
    norms = [module for module in model.modules() if isinstance(module, nn.SyncBatchNorm)]
    groups = [norm.process_group for norm in norms]
    with distributed.alone() as own:
        for norm in norms:
            norm.process_group = own
        try:
            yield
        finally:
            for norm, group in zip(norms, groups, strict=True):
                norm.process_group = group


@torch.no_grad()
def _pool(model: nn.Module) -> None:
    """Make the mean statistics over each process's batches those over all processes' batches."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms if distributed.size() > 1 else []:
        statistics = dict(norm.named_buffers(recurse=False))
        seen = statistics.pop("num_batches_tracked", None)
        if seen is None:  # it keeps none
            continue
        own = seen.clone()
        if distributed.add_up(seen):
            for value in statistics.values():
                distributed.add_up(value.mul_(own)).div_(seen)


def _other_buffers(model: nn.Module) -> list[Tensor]:
    """Return the buffers that belong to no batch norm, such as a running count of boxes."""
    modules = (module for module in model.modules() if not isinstance(module, _BatchNorm))
    return [buffer for module in modules for buffer in module.buffers(recurse=False)]
