"""Train the head alone first."""

from common.callbacks.base import Callback


class Unfreeze(Callback):
    """Freeze the body for the first `epochs` epochs, then train everything."""

    order = -5

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def before_epoch(self) -> None:
        # Not learn.freeze: that forgets the optimiser's moments, at every epoch and resume.
        frozen = self.learn.epoch < self.epochs
        self.learn.opt.freeze_to(self.learn.head_start if frozen else 0)
