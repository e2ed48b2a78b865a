"""What all looks share: when they look, and that they change nothing."""

import sys
from typing import Any

from common import distributed
from common.callbacks.base import Callback
from common.checkpoints import random_state, restore_random_state
from common.config import Config
from common.evaluation import Evaluation
from common.loggers.base import Logger
from common.runs import Run


class Look(Callback):
    """Looks at each evaluation after its epoch and leaves every random state as it was.

    A look that fails is reported once and left out from then on, unless `log.strict` is on:
    no picture is worth a training.
    """

    order, run_valid = 70, False

    def __init__(self, config: Config, logger: Logger) -> None:
        self.config, self.logger, self.failed = config, logger, False
        self.run_folder: Run | None = None  # where a look keeps files, if it is of a run

    def look(self, evaluation: Evaluation) -> None:
        """Select what to show of the evaluation and log it."""
        raise TypeError(f"{type(self).__name__} does not say what it looks at")

    def lend(self) -> Any:
        """Return what this process collected of the epoch, for the one that looks."""
        return None

    def take(self, parts: list[Any]) -> None:
        """Take what every process lent, in their order, as if this one had collected it all."""

    def after_epoch(self) -> None:
        if self.failed or not distributed.is_first():
            return
        state = random_state()
        try:
            self.look(self.learn.evaluation)
        except Exception as error:
            self.give_up(error)
        finally:
            restore_random_state(state)

    def give_up(self, error: Exception) -> None:
        """Leave the look out from now on and say so, or raise the error where that is wanted."""
        if self.config.log.strict:
            raise error
        self.failed = True
        name = type(self).__name__
        print(f"warning: look {name} failed and is left out: {error!r}", file=sys.stderr)

    @property
    def moment(self) -> dict[str, Any]:
        """The two axes at this epoch, as loggers take them."""
        return {"global_step": self.learn.train_iter, "epoch": self.learn.epoch + 1}
