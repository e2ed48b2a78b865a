"""Keeps the best epoch's predictions for the samples that the model never saw."""

from common.callbacks.base import Callback
from common.callbacks.checkpoint import Checkpoint
from common.config import Config
from common.keys import FOLD
from common.oof import write_oof
from common.runs import Run


class OutOfFold(Callback):
    """Write `oof.parquet` whenever the competition's metric improved, from the same evaluation."""

    order = Checkpoint.order + 1

    def __init__(self, run: Run, config: Config, saver: Checkpoint) -> None:
        self.run_folder, self.config, self.saver = run, config, saver

    def after_epoch(self) -> None:
        best = self.saver.best.get(self.config.metric, {"epoch": 0})
        if best["epoch"] == self.learn.epoch + 1:
            frame = write_oof(self.learn.evaluation, self.config)
            frame[FOLD] = self.run_folder.fold
            partial = self.run_folder.oof_file.with_suffix(".partial")
            frame.to_parquet(partial, index=False)
            partial.replace(self.run_folder.oof_file)
