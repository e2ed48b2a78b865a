"""What `kit tune` tries, and what each of it changes beside the time."""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from common.config import Config

ROUNDING = "rounding: other last digits, the same training"
NOTHING = "nothing"
CHANGES = {
    "model.channels_last": ROUNDING,
    "model.compile": ROUNDING,
    "train.amp": "half precision inside the network: scores move a little, watch them",
    "data.num_workers": NOTHING,
    "train.batch_size": "WHAT IS LEARNT: fewer steps an epoch; try train.lr times {root:.2g}",
}


class Choice(NamedTuple):
    """One value of one key."""

    key: str
    value: Any

    def __str__(self) -> str:
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.key}={value}"

    def changes(self, before: Config) -> str:
        """Return what is not as it was, beside the time."""
        factor = self.value / before.train.batch_size if self.key == "train.batch_size" else 1
        return CHANGES[self.key].format(root=factor**0.5)  # as AdamW's noise scales


def of_network(config: Config, device: torch.device) -> Iterator[Choice]:
    """Yield what makes a step itself faster, the promising and cheap first."""
    yield Choice("model.channels_last", not config.model.channels_last)
    for amp in halves(device):
        if amp != config.train.amp:
            yield Choice("train.amp", amp)
    if config.train.amp != "none":
        yield Choice("train.amp", "none")


def of_compiler(config: Config) -> Iterator[Choice]:
    """Yield what may take longer to try than all else."""
    if not config.model.compile:
        yield Choice("model.compile", True)


def halves(device: torch.device) -> list[str]:
    """Return the half precisions that the device computes in."""
    if device.type != "cuda":
        return ["bf16"]
    own = torch.cuda.get_device_capability(device) >= (8, 0)  # older ones imitate it, slowly
    return ["bf16", "fp16"] if own else ["fp16"]


def of_batch(config: Config, samples: int) -> Iterator[Choice]:
    """Yield larger batches, doubled until an epoch has few steps."""
    size = 2 * config.train.batch_size
    while size <= max(samples // 4, config.train.batch_size):
        yield Choice("train.batch_size", size)
        size *= 2


def of_reading(config: Config) -> Iterator[Choice]:
    """Yield numbers of reading processes, those of a small machine first."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for count in (0, 1, 2, 4, 8, 16):
        if count <= (cores or 1) and count != config.data.num_workers:
            yield Choice("data.num_workers", count)
