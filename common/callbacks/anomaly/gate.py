"""Lets the device itself withhold a bad step, so that it need not wait for the host's verdict."""

from typing import Any

import torch
from torch import Tensor


class Gate:
    """Tells a fused optimiser by `found_inf`, as torch's GradScaler does, whether it may move.

    The verdict is copied to the host beside the optimiser's own work and may be read much later,
    when more was queued: the device is never idle while the host asks.
    """

    def __init__(self, optimiser: Any) -> None:
        self.optimiser = optimiser
        self.copied = torch.cuda.Event() if torch.cuda.is_available() else None
        self.verdict = torch.empty((), pin_memory=self.copied is not None)  # of the host

    @staticmethod
    def fits(optimiser: Any) -> bool:
        """Tell whether the optimiser heeds it; the plain loops of torch do not."""
        return bool(getattr(optimiser, "_step_supports_amp_scaling", False))

    def set(self, total: Tensor) -> None:
        """Let the next step move only if `total`, a scalar, is finite."""
        bad = (total * 0).nan_to_num(1.0)
        self.optimiser.found_inf = bad
        self.verdict.copy_(bad, non_blocking=True)
        if self.copied:
            self.copied.record()

    def was_shut(self) -> bool:
        """Tell, after the step, whether it was withheld."""
        del self.optimiser.found_inf
        if self.copied:
            self.copied.synchronize()
        return bool(self.verdict)
