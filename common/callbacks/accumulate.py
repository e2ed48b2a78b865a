"""One optimiser step from the gradients of several batches."""

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
        learn = self.learn
        if (learn.iter + 1) % self.batches and learn.iter + 1 < learn.n_iter:
            raise CancelBatchException()
