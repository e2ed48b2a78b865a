"""Keeps the best epoch's predictions for the samples that the model never saw."""

import pandas as pd

from common.callbacks.base import Callback
from common.callbacks.checkpoint import Checkpoint
from common.config import Config
from common.evaluation import Evaluation
from common.keys import FOLD, IMAGE_ID, LABEL, LOSS, PREDICTION, TARGET
from common.runs import Run

PROBABILITY = "prob_"  # column prefix, followed by the class


class OutOfFold(Callback):
    """Write `oof.parquet` whenever the competition's metric improved, from the same evaluation."""

    order = Checkpoint.order + 1

    def __init__(self, run: Run, config: Config, saver: Checkpoint) -> None:
        self.run_folder, self.config, self.saver = run, config, saver

    def after_epoch(self) -> None:
        best = self.saver.best.get(self.config.metric, {"epoch": 0})
        if best["epoch"] == self.learn.epoch + 1:
            frame = oof_frame(self.learn.evaluation, self.config)
            frame[FOLD] = self.run_folder.fold
            partial = self.run_folder.oof_file.with_suffix(".partial")
            frame.to_parquet(partial, index=False)
            partial.replace(self.run_folder.oof_file)


def oof_frame(evaluation: Evaluation, config: Config) -> pd.DataFrame:
    """Return one row per sample: id, truth, a probability per class, losses."""
    names = [f"{PROBABILITY}{name}" for name in config.classes]
    frame = pd.DataFrame(evaluation[PREDICTION], columns=names)
    target = evaluation[TARGET]
    if target.ndim == 1:
        frame.insert(0, LABEL, target)
    else:
        truth = pd.DataFrame(target, columns=[f"{LABEL}_{name}" for name in config.classes])
        frame = pd.concat([truth, frame], axis=1)
    frame.insert(0, IMAGE_ID, evaluation[IMAGE_ID])
    frame[LOSS] = evaluation[LOSS]
    return frame
