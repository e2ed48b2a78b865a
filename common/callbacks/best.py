"""Keeps the best weights by every watched metric."""

import sys
from collections.abc import Sequence
from math import inf, isnan
from typing import Any

from common import distributed
from common.callbacks.average import Average
from common.callbacks.base import Callback
from common.checkpoints import load_checkpoint, same_checkpoint, save_checkpoint
from common.errors import KitError
from common.metrics.base import Metric
from common.runs import Run

# valid/loss can be watched like any metric.
VALID_LOSS = Metric("loss", lambda target, prediction: float("nan"), maximise=False)


class Best(Callback):
    """After each epoch: `best_<metric>.pt` where the metric rose; a NaN is never the best.

    A failed save is reported and training goes on.

    Args:
        metrics: each keeps its own best by its own direction.
        facts: what predicting needs beside the weights (config, classes, preprocessing).
    """

    order = 61

    def __init__(self, run: Run, metrics: Sequence[Metric], facts: dict[str, Any]) -> None:
        self.run_folder, self.scored, self.facts = run, list(metrics), facts
        self.best: dict[str, dict[str, Any]] = {}  # by metric: value, epoch, all scores
        self.failed: dict[str, KitError] = {}  # by metric, until its file is right again

    def after_epoch(self) -> None:
        earlier = dict(self.best)
        risen = [metric.name for metric in self.scored if self._improved(metric)]
        if not risen or not distributed.is_first():
            return
        try:
            self._save(risen)
            self.failed = {name: e for name, e in self.failed.items() if name not in risen}
        except KitError as error:
            self.best = earlier  # which is what the files are
            self.failed |= dict.fromkeys(risen, error)
            warn(error)

    def after_fit(self) -> None:
        for error in self.failed.values():
            raise error

    def saved_state(self) -> dict[str, Any]:
        return self.best

    def restore_state(self, state: dict[str, Any]) -> None:
        """Take the best so far, as far as their files bear them out."""
        asked = state if distributed.is_first() else {}
        found = {name: self._kept(name, best["epoch"]) for name, best in asked.items()}
        self.best = {name: best for name, best in distributed.from_first(found).items() if best}

    def _save(self, names: Sequence[str]) -> None:
        first, *others = (self.run_folder.best(name) for name in names)
        save_checkpoint(first, predicting(self.learn, self.facts))
        for other in others:
            same_checkpoint(first, other)

    def _kept(self, name: str, epoch: int) -> dict[str, Any] | None:
        path = self.run_folder.best(name)
        try:
            content = load_checkpoint(path)
        except KitError as error:
            print(f"warning: {error}; epochs from here on decide anew", file=sys.stderr)
            return None
        # A later epoch than the state's: the run was killed before the state was saved.
        scores = content["scores"]
        if content["epoch"] < epoch:
            print(f"warning: '{path}' is of epoch {content['epoch']}, not {epoch}", file=sys.stderr)
        return {"value": scores[f"valid/{name}"], "epoch": content["epoch"], "scores": scores}

    def _improved(self, metric: Metric) -> bool:
        learn, name = self.learn, metric.name
        value, epoch = learn.scores[f"valid/{name}"], learn.epoch + 1
        sign = 1 if metric.maximise else -1
        before = self.best.get(name, {"value": -sign * inf, "epoch": 0})
        again = before["epoch"] == epoch and value == before["value"]  # after a kill
        if isnan(value) or (sign * value <= sign * before["value"] and not again):
            return False
        self.best[name] = {"value": value, "epoch": epoch, "scores": dict(learn.scores)}
        return True


def predicting(learn: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what predicting needs, with the weights that validate."""
    averages = [cb for cb in learn.cbs if isinstance(cb, Average)]
    weights = averages[0].weights() if averages else learn.model.state_dict()
    known = learn.thresholds(learn.evaluation) if learn.evaluation else learn.known_thresholds
    return {
        "weights": weights,
        "scores": getattr(learn, "scores", {}),
        "epoch": learn.epoch + 1,
        "thresholds": known,
        **facts,
    }


def warn(error: Exception) -> None:
    """Say that something could not be kept, and that training goes on all the same."""
    print(f"warning: {error}; training goes on", file=sys.stderr, flush=True)
