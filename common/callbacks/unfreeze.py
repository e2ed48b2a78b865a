"""Train the head alone first."""

from common.callbacks.base import Callback


class Unfreeze(Callback):
    """Freeze the body for the first `epochs` epochs, then train everything."""

    order = -5

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def before_epoch(self) -> None:
        if self.learn.epoch < self.epochs:
            self.learn.freeze()
        else:
            self.learn.unfreeze()
