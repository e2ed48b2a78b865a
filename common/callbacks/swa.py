"""Average the ends of the last epochs."""

from typing import Any

from torch.optim.swa_utils import AveragedModel

from common.callbacks.average import Average
from common.callbacks.norms import recompute_norms
from common.data.loaders import set_epoch, whole_batches


class Swa(Average):
    """Stochastic weight averaging (Izmailov et al. 2018; torch's): a mean of epochs' ends, alike.

    Until it begins, the trained weights validate. Statistics of batch norms, which no mean of
    statistics gives, are computed anew over the epoch's training data before each validation: a
    forward pass more, about a third of what the epoch took. Of several processes each does it for
    whole batches in turn, for that is what one process's statistics are of.

    Args:
        start: share of training after which epochs count.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.start, self.last = start, -1  # the last epoch that is in the mean

    @property
    def has_begun(self) -> bool:
        return self.average is not None and bool(self.average.n_averaged)

    @property
    def is_due(self) -> bool:
        """Whether the end of the current epoch counts."""
        return self.learn.epoch + 1 > self.start * self.learn.n_epoch

    def make(self) -> AveragedModel:
        self.last = -1
        return AveragedModel(self.learn.model)

    def after_train(self) -> None:
        learn = self.learn
        if not self.is_due or learn.epoch <= self.last:  # saved while it was validated
            return
        self.average.update_parameters(learn.model)
        set_epoch(learn.dls.train, learn.epoch)
        with whole_batches(learn.dls.train) as batches:
            recompute_norms(self.average.module, batches, learn.device)
        self.last = learn.epoch

    def saved_state(self) -> dict[str, Any]:
        return {"average": self.average.state_dict(), "last": self.last}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Take the average of another session."""
        self.average.load_state_dict(state["average"])
        self.last = state["last"]
