"""Logs losses, metrics and every changing value of the optimiser."""

from math import isfinite, nan
from typing import Any

import torch

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision
from common.data.loaders import batch_size_of, share_of
from common.keys import INDEX
from common.loggers.base import Logger
from common.loggers.buffer import ScalarBuffer
from common.loggers.fan_out import Row

CHANGING = ("lr", "momentum", "betas", "weight_decay", "eps")


class Record(Callback):
    """Per step: loss, its terms and the optimiser's values; per epoch: `learn.scores`.

    Of each parameter group momentum, betas, weight decay and eps are logged at the first step and
    whenever they change, learning rates at every step.

    With fp16 also the loss scale, and how many steps were skipped.

    The loss is read from the device once per `every` steps, never in a step.
    """

    order, run_valid = 50, False

    def __init__(self, logger: Logger, every: int) -> None:
        self.logger, self.every = logger, every
        self.history: list[dict[str, float]] = []  # one row per epoch

    def before_fit(self) -> None:
        self.buffer = ScalarBuffer(self.logger, self.every)
        self.several = len(self.learn.loss_func.terms) > 1
        self.groups = self.learn.opt.opt.param_groups
        self.known: list[dict[str, Any]] = [{} for _ in self.groups]
        scaler = getattr(self.learn, "scaler", None)
        scaled = scaler is not None and scaler.is_enabled()
        self.history = []
        self.total, self.count = 0.0, 0  # loss and samples of the epoch, as far as they are read
        self.sizes: list[int] = []  # samples of each step that is kept back
        self.skipped = 0
        self.scaling = [cb for cb in self.learn.cbs if scaled and isinstance(cb, HalfPrecision)]

    def after_batch(self) -> None:
        learn = self.learn
        if self.buffer.is_last:
            learn.settle()  # the device is asked anyway
        loss, rows, terms = self._losses()
        values: dict[str, Any] = {"train/loss": loss}
        self._add_changed(values)
        for name, value in terms.items():
            values[f"train/loss_{name}"] = value
        for amp in self.scaling:
            values["optimiser/loss_scale"] = amp.loss_scale
        self.sizes.append(rows)
        epoch = learn.epoch + (learn.iter + 1) / learn.n_iter
        self._sum(self.buffer.add(values, global_step=learn.train_iter, epoch=epoch))

    def after_epoch(self) -> None:
        learn = self.learn
        self._sum(self.buffer.flush())
        scores = {"train/loss_epoch": self.total / self.count if self.count else nan}
        learn.scores = distributed.from_first(scores | valid_scores(learn))
        self.history.append({"epoch": learn.epoch + 1, **learn.scores})
        values = learn.scores | self._skipped()
        self.logger.scalars(values, global_step=learn.train_iter, epoch=learn.epoch + 1)
        self.total, self.count = 0.0, 0
        self.skipped = sum(amp.skipped_steps for amp in self.scaling)

    def after_cancel_fit(self) -> None:
        """Forget steps that will be made again, as an anomaly lets them."""
        del self.sizes[self.buffer.forget(self.learn.train_iter) :]

    def after_fit(self) -> None:
        if not self.learn.interrupted:  # or the checkpoint has what is kept back
            self.buffer.flush()

    def saved_state(self) -> dict[str, Any]:
        return {
            "buffer": self.buffer.rows(),
            "sizes": self.sizes,
            "known": self.known,
            "history": self.history,
            "total": self.total,
            "count": self.count,
            "skipped": self.skipped,
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Go on with the epoch where another session left it."""
        self.buffer.restore(state["buffer"])
        self.known, self.history, self.sizes = state["known"], state["history"], state["sizes"]
        self.total, self.count = state["total"], state["count"]
        self.skipped = state["skipped"]

    def _sum(self, read: list[Row]) -> None:
        """Add what was read to the epoch's mean; one NaN would hide all of it."""
        for values, _, _ in read:
            loss, rows = values["train/loss"], self.sizes.pop(0)
            if isfinite(loss):
                self.total += loss * rows
                self.count += rows

    def _losses(self) -> tuple[torch.Tensor, int, dict[str, torch.Tensor]]:
        """Return the batch's loss, its samples and the mean of each term, over all processes."""
        learn = self.learn
        loss, rows = learn.loss, len(learn.batch[INDEX])
        samples = learn.loss_func.samples if self.several else {}
        terms = {name: value.mean() for name, value in samples.items()}
        if distributed.size() == 1:
            return loss, rows, terms
        share = share_of(learn.dls.train) / distributed.size()
        loss, *means = distributed.add_up(torch.stack([loss, *terms.values()]) * share)
        return loss, batch_size_of(learn.dls.train), dict(zip(terms, means, strict=True))

    def _skipped(self) -> dict[str, float]:
        """Return how many steps of the epoch fp16 left out, if it is on."""
        total = sum(amp.skipped_steps for amp in self.scaling)
        return {"optimiser/skipped_steps": total - self.skipped} if self.scaling else {}

    def _add_changed(self, values: dict[str, Any]) -> None:
        """Add the learning rates, and of every group what is not as it was last logged."""
        for group, known in zip(self.groups, self.known, strict=True):
            for name in CHANGING:
                value, last = group.get(name), known.get(name)
                if value == last and name != "lr":
                    continue
                known[name], prefix = value, f"optimiser/{name}"
                if isinstance(value, tuple):
                    for place, part in enumerate(value):
                        if last is None or part != last[place]:
                            values[f"{prefix}_{place}_{group['group_name']}"] = float(part)
                else:
                    values[f"{prefix}_{group['group_name']}"] = float(value)


def valid_scores(learn: Any) -> dict[str, float]:
    """Return loss, terms and metrics of the last validation under their `valid/` names."""
    evaluation = learn.evaluation
    losses = {name: column for name, column in evaluation.columns.items() if "loss" in name}
    if len(losses) == 2:  # a single term repeats the loss
        losses.popitem()
    means = {f"valid/{name.replace('/', '_')}": float(c.mean()) for name, c in losses.items()}
    if any(term.auxiliary for term in learn.loss_func.terms):  # samples' losses leave these out
        named = {term.name: means[f"valid/loss_{term.name}"] for term in learn.loss_func.terms}
        means["valid/loss"] = float(learn.loss_func.total(named))
    return means | {f"valid/{name}": value for name, value in evaluation.scores.items()}
