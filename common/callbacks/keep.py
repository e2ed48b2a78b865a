"""Keeps the weights of several epochs, to be averaged later."""

from math import isnan
from typing import Any

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.best import Best, predicting, warn
from common.checkpoints import save_checkpoint
from common.errors import KitError
from common.metrics.base import Metric
from common.runs import Run


class KeepBest(Callback):
    """Keep the best `count` epochs by a metric, as `epoch_<number>.pt`; a NaN is never kept.

    A failed save is reported and training goes on; that epoch is not kept.

    Args:
        facts: what predicting needs beside the weights.
    """

    order = Best.order + 0.5

    def __init__(self, run: Run, metric: Metric, count: int, facts: dict[str, Any]) -> None:
        self.run_folder, self.metric, self.count, self.facts = run, metric, count, facts
        self.values: dict[int, float] = {}  # of the epochs that are kept, the more the better

    def after_epoch(self) -> None:
        if not distributed.is_first():
            return
        epoch = self.learn.epoch + 1
        value = self.learn.scores[f"valid/{self.metric.name}"] * (1 if self.metric.maximise else -1)
        others = {number: known for number, known in self.values.items() if number != epoch}
        worst = min(others, key=lambda number: (others[number], -number), default=0)
        full = len(others) >= self.count
        if isnan(value) or (full and value <= others[worst]):
            return
        try:
            save_checkpoint(self.run_folder.of_epoch(epoch), predicting(self.learn, self.facts))
        except KitError as error:
            warn(error)
            return
        self.values = {**others, epoch: value}
        if full:
            self.values.pop(worst)
        for path in self.run_folder.kept():
            if path not in map(self.run_folder.of_epoch, self.values):
                path.unlink()

    def saved_state(self) -> dict[int, float]:
        return dict(self.values)

    def restore_state(self, state: dict[int, float]) -> None:
        """Go on with what is kept, as far as the files are there."""
        there = {n: value for n, value in state.items() if self.run_folder.of_epoch(n).is_file()}
        self.values = there
