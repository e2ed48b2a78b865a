"""Validate and save a running mean of the weights."""

from typing import Any

from timm.utils import ModelEmaV3

from common.callbacks.base import Callback


class Ema(Callback):
    """Exponential moving average of weights and buffers (timm's), swapped in while validating."""

    order = 15

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: Any = None  # a ModelEmaV3 once fitting
        self.raw: Any = None
        self.still = False  # the step was cancelled: no weight moved

    def before_fit(self) -> None:
        self.after_validate()  # of a fit that broke while validating
        # Warm-up keeps the first random weights from ruling short trainings.
        self.average = ModelEmaV3(self.learn.model, decay=self.decay, use_warmup=True)

    def after_cancel_step(self) -> None:
        self.still = True

    def after_step(self) -> None:  # also comes after a step that was cancelled
        if self.still:
            self.still = False
            return
        self.average.update(self.learn.model, step=self.learn.train_iter)

    def before_validate(self) -> None:
        if self.average is not None:
            self.raw, self.learn.model = self.learn.model, self.average.module.eval()

    def after_validate(self) -> None:
        if self.raw is not None:
            self.learn.model, self.raw = self.raw, None

    after_cancel_fit = after_validate

    def saved_state(self) -> dict[str, Any]:
        return self.weights()

    def restore_state(self, state: dict[str, Any]) -> None:
        """Take the averaged weights of another session."""
        self.average.module.load_state_dict(state)

    def weights(self) -> dict[str, Any]:
        """Return the averaged weights."""
        return self.average.module.state_dict()
