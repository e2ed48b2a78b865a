"""Autocast in bf16 or fp16 on whatever device the model is on."""

from typing import Any

import torch
from fastai.callback.core import CancelStepException
from fastai.callback.fp16 import AMPMode, MixedPrecision

from common.errors import KitError


class HalfPrecision(MixedPrecision):
    """fastai's mixed precision, which is tied to CUDA, for any device; keeps outputs in dicts.

    With fp16, `loss_scale` is that of the last step, a scalar on the device, and `skipped_steps`
    counts the steps of the fit that were left out because a gradient overflowed. To know that, a
    step reads one number from the device, as torch's own scaler does; bf16 reads none.

    Raises:
        KitError: fp16 without dynamic loss scaling, whose small gradients would become zero.
    """

    def __init__(self, mode: str, loss_scaling: bool = True) -> None:
        super().__init__(amp_mode=AMPMode(mode), enabled=loss_scaling)
        self.loss_scaling = loss_scaling

    def before_fit(self) -> None:
        device = next(self.learn.model.parameters()).device.type
        half = self.amp_mode == AMPMode.FP16
        self.autocast = torch.autocast(device, torch.float16 if half else torch.bfloat16)
        scaler = torch.amp.GradScaler(device, enabled=half and self.loss_scaling)
        if half and not scaler.is_enabled():
            raise KitError(
                "expected dynamic loss scaling with train.amp=fp16, got none: small gradients "
                "would become zero; enable it, or set train.amp to 'bf16' or 'none'"
            )
        self.learn.scaler = scaler
        self.one = torch.ones((), device=next(self.learn.model.parameters()).device)
        self.loss_scale, self.skipped_steps = self.one, 0

    def saved_state(self) -> dict[str, Any]:
        """Return what is counted; the scaler itself is the learner's."""
        return {"loss_scale": float(self.loss_scale), "skipped_steps": self.skipped_steps}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self.loss_scale = self.one * state["loss_scale"]
        self.skipped_steps = state["skipped_steps"]

    def before_step(self) -> None:
        """Unscale the gradients; leave the step out if one of them is not finite."""
        self.skipped = True
        self.scaler.step(self)  # calls our own step, which says that nothing overflowed
        self.loss_scale = self.scaler.scale(self.one)  # get_scale() would wait for the device
        if self.skipped:
            self.skipped_steps += 1
            raise CancelStepException()

    def after_pred(self) -> None:
        """Keep the outputs as they are: the loss converts what it reads to float32."""

    def after_cancel_batch(self) -> None:
        """Leave autocast when another callback ended the batch before the loss."""
        if torch.is_autocast_enabled(self.autocast.device):
            self.autocast.__exit__(None, None, None)


def refuse_half_weights(model: torch.nn.Module) -> None:
    """Raise where weights themselves are fp16: updates below 2^-11 of a weight would be lost."""
    names = [name for name, p in model.named_parameters() if p.dtype == torch.float16]
    if names:
        raise KitError(
            f"expected float32 weights, got float16 in '{names[0]}' and {len(names) - 1} more; "
            "keep the weights in float32 and set train.amp=fp16, which casts per operation"
        )
