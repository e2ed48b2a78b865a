"""One optimiser step from the gradients of several batches."""

from typing import Any

from fastai.callback.core import CancelBatchException

from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision


class Accumulate(Callback):
    """Step every `batches` batches and at the end of the epoch; nothing carries over.

    The gradient is the mean over the batches of its group, also of a shorter last one.
    """

    order, run_valid = HalfPrecision.order - 4, False

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def after_loss(self) -> None:
        learn = self.learn
        start = learn.iter - learn.iter % self.batches
        learn.loss_grad = learn.loss_grad / min(self.batches, learn.n_iter - start)

    def before_step(self) -> None:
        if not step_is_whole(self.learn, self.batches):
            raise CancelBatchException()


def batches_of(learn: Any) -> int:
    """Return how many batches make a step."""
    return max([cb.batches for cb in learn.cbs if isinstance(cb, Accumulate)], default=1)


def step_is_whole(learn: Any, batches: int) -> bool:
    """Return whether the present batch is the last one of its step."""
    return (learn.iter + 1) % batches == 0 or learn.iter + 1 >= learn.n_iter
