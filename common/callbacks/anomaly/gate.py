"""Lets the device itself withhold a bad step, so that it need not wait for the host's verdict."""

from typing import Any

import torch
from torch import Tensor


class Gate:
    """Tells a fused optimiser by `found_inf`, as torch's GradScaler does, whether it may move.

    The verdict is copied to the host beside the optimiser's own work and read after that was
    queued: the device is never idle while the host asks.
    """

    def __init__(self, optimiser: Any) -> None:
        self.optimiser = optimiser

    @staticmethod
    def fits(optimiser: Any) -> bool:
        """Tell whether the optimiser heeds it; the plain loops of torch do not."""
        return bool(getattr(optimiser, "_step_supports_amp_scaling", False))

    def set(self, total: Tensor) -> None:
        """Let the next step move only if `total`, a scalar, is finite."""
        bad = (~total.isfinite()).float()
        self.optimiser.found_inf = bad
        self.verdict, self.copied = bad, None
        if bad.is_cuda:
            self.verdict = torch.empty((), pin_memory=True).copy_(bad, non_blocking=True)
            self.copied = torch.cuda.Event()
            self.copied.record()

    def was_shut(self) -> bool:
        """Tell, after the step, whether it was withheld."""
        del self.optimiser.found_inf
        if self.copied is not None:
            self.copied.synchronize()
        return bool(self.verdict)
