"""Stops a training that does not get better."""

from fastai.callback.core import CancelFitException

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.best import Best


class Patience(Callback):
    """End the fit, as finished, where the metric has not been better for so many epochs.

    Early stopping (Prechelt 1998) helps where nobody knows how long it takes, under a constant
    schedule; one that falls to 0 at the end gains its best in the last epochs.

    What decides is known at an epoch's start, from the best so far alone: nothing is half done, and
    a run that goes on stops where it would have.

    Args:
        epochs: without a better value; those that train the head alone do not count.
        metric: name of the one that counts.
        best: knows its best epoch.
        frozen: epochs that train the head alone.
    """

    order = -6

    def __init__(self, epochs: int, metric: str, best: Best, frozen: int = 0) -> None:
        self.epochs, self.metric, self.best, self.frozen = epochs, metric, best, frozen

    def before_epoch(self) -> None:
        done = self.learn.epoch
        last = max(self.best.best.get(self.metric, {"epoch": 0})["epoch"], self.frozen)
        if distributed.from_first(done - last >= self.epochs):
            print(
                f"stopping after epoch {done}: {self.metric} was not better for {self.epochs} "
                "epochs (train.patience)",
                flush=True,
            )
            raise CancelFitException()
