"""Keeps the last state and the best weights by every watched metric."""

import sys
import time
from collections.abc import Sequence
from math import inf, isnan
from typing import Any

from common.callbacks.base import Callback
from common.callbacks.ema import Ema
from common.checkpoints import (
    load_checkpoint,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from common.errors import KitError
from common.metrics.base import Metric
from common.runs import Run

# valid/loss can be watched like any metric.
VALID_LOSS = Metric("loss", lambda target, prediction: float("nan"), maximise=False)


class Checkpoint(Callback):
    """After each epoch: `last.pt` with all that resuming needs, `best_<metric>.pt` where it rose.

    A NaN is never the best. A failed save is reported and tried again after the next epoch.

    Args:
        metrics: each keeps its own best by its own direction.
        facts: what predicting needs beside the weights (config, classes, preprocessing).
        logger: its state travels with the run.
    """

    order = 61

    def __init__(
        self, run: Run, metrics: Sequence[Metric], facts: dict[str, Any], logger: Any = None
    ) -> None:
        self.run_folder, self.scored, self.facts, self.logger = run, list(metrics), facts, logger
        self.best: dict[str, dict[str, float]] = {}
        self.error: KitError | None = None
        self.seconds, self.started = 0.0, time.monotonic()
        self.restored: dict[str, Any] | None = None

    @property
    def total_seconds(self) -> float:
        """Training time over all sessions of the run."""
        return self.seconds + time.monotonic() - self.started

    def before_fit(self) -> None:
        self.started = time.monotonic()
        if self.restored:
            restore_random_state(self.restored["random"])
            self.learn.train_iter = self.restored["train_iter"]
            if self.restored["scaler"]:
                self.learn.scaler.load_state_dict(self.restored["scaler"])

    def before_train(self) -> None:
        # After fastai has set its counter for the epoch, which is right at the epoch's start.
        if self.restored and self.restored["batch"]:
            self.learn.pct_train = self.restored["pct_train"]
        self.restored = None

    def after_epoch(self) -> None:
        weights = self._predicting()
        for metric in self.scored:
            if self._improved(metric):
                self._save(f"best_{metric.name}.pt", weights)
        self.save_last(epoch=self.learn.epoch + 1, batch=0)

    def after_cancel_fit(self) -> None:
        if self.learn.interrupted:
            self.save_last(epoch=self.learn.epoch, batch=self.learn.iter + 1)

    def after_fit(self) -> None:
        if self.error:
            raise self.error

    def save_last(self, epoch: int, batch: int) -> None:
        """Write everything that an exact continuation from this batch needs."""
        learn = self.learn
        training = {
            "weights": learn.model.state_dict(),
            "optimiser": learn.opt.opt.state_dict(),
            "scaler": learn.scaler.state_dict() if getattr(learn, "scaler", None) else None,
            "random": random_state(),
            "epoch": epoch,
            "batch": batch,
            "train_iter": learn.train_iter,
            "pct_train": learn.pct_train,
            "best": self.best,
            "loggers": self.logger.state() if self.logger else {},
            "seconds": self.total_seconds,
        }
        self._save("last.pt", {**self._predicting(), "training": training})

    def resume(self) -> dict[str, Any]:
        """Load `last.pt` into the learner; the fit then goes on where it stopped."""
        learn, content = self.learn, load_checkpoint(self.run_folder.last)
        state = content["training"]
        learn.model.load_state_dict(state["weights"])
        if learn.opt is None:
            learn.create_opt()
        learn.opt.opt.load_state_dict(state["optimiser"])
        for average in learn.cbs:
            if isinstance(average, Ema):
                average.restored = content["weights"]
        self.best, self.restored, self.seconds = state["best"], state, state["seconds"]
        learn.first_epoch, learn.first_batch = state["epoch"], state["batch"]
        return state

    def _predicting(self) -> dict[str, Any]:
        learn = self.learn
        averages = [cb for cb in learn.cbs if isinstance(cb, Ema)]
        weights = averages[0].weights() if averages else learn.model.state_dict()
        scores = getattr(learn, "scores", {})
        return {
            "weights": weights,
            "scores": scores,
            "epoch": learn.epoch + 1,
            "thresholds": learn.thresholds(learn.evaluation) if learn.evaluation else {},
            **self.facts,
        }

    def _improved(self, metric: Metric) -> bool:
        value = self.learn.scores[f"valid/{metric.name}"]
        sign = 1 if metric.maximise else -1
        before = self.best.get(metric.name, {"value": -sign * inf})["value"]
        if isnan(value) or sign * value <= sign * before:
            return False
        self.best[metric.name] = {"value": value, "epoch": self.learn.epoch + 1}
        return True

    def _save(self, name: str, content: dict[str, Any]) -> None:
        try:
            save_checkpoint(self.run_folder.checkpoints / name, content)
            self.error = None
        except KitError as error:
            self.error = error
            print(f"warning: {error}; training goes on", file=sys.stderr, flush=True)
