"""Average by a running mean of the weights."""

from typing import Any

from timm.utils import ModelEmaV3

from common.callbacks.average import Average


class Ema(Average):
    """Exponential moving average of weights and buffers (timm's), moved at every step."""

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.still = False  # the step was cancelled: no weight moved

    def make(self) -> ModelEmaV3:
        # Warm-up keeps the first random weights from ruling short trainings.
        return ModelEmaV3(self.learn.model, decay=self.decay, use_warmup=True)

    def after_cancel_step(self) -> None:
        self.still = True

    def after_step(self) -> None:  # also comes after a step that was cancelled
        if self.still:
            self.still = False
            return
        self.average.update(self.learn.model, step=self.learn.train_iter)

    def saved_state(self) -> dict[str, Any]:
        return self.weights()

    def restore_state(self, state: dict[str, Any]) -> None:
        """Take the averaged weights of another session."""
        self.average.module.load_state_dict(state)
