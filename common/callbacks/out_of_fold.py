"""Keeps the best epoch's predictions for the samples that the model never saw."""

from pathlib import Path
from typing import Any

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.best import Best, warn
from common.config import Config
from common.errors import KitError, cannot_write
from common.keys import FOLD, GROUP, INDEX
from common.oof import write_oof
from common.runs import Run


class OutOfFold(Callback):
    """Write `oof.parquet` whenever the competition's metric improved, from the same evaluation."""

    order = Best.order + 1

    def __init__(self, run: Run, config: Config, saver: Best) -> None:
        self.run_folder, self.config, self.saver = run, config, saver
        self.error: KitError | None = None

    def after_epoch(self) -> None:
        best = self.saver.best.get(self.config.metric, {"epoch": 0})
        if best["epoch"] != self.learn.epoch + 1 or not distributed.is_first():
            return
        try:
            self._write(self.run_folder.oof_file)
            self.error = None
        except OSError as error:
            self.error = cannot_write(self.run_folder.oof_file, error)
            warn(self.error)

    def after_fit(self) -> None:
        if self.error:
            raise self.error

    def _write(self, path: Path) -> None:
        write_fold(self.learn, self.config, self.run_folder.fold, path)


def write_fold(learn: Any, config: Config, fold: int, path: Path) -> None:
    """Write what the last validation said of the fold's samples, with their groups if known."""
    frame = write_oof(learn.evaluation, config)
    frame[FOLD] = fold
    groups = getattr(learn.dls.valid.dataset, "groups", None)
    if groups is not None:
        frame[GROUP] = groups[learn.evaluation[INDEX]]
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial, index=False)
    partial.replace(path)
