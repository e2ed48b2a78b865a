"""Logs losses, metrics and every changing value of the optimiser."""

from typing import Any

import torch

from common import distributed
from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision
from common.data.loaders import batch_size_of, share_of
from common.keys import INDEX
from common.loggers.base import Logger
from common.loggers.buffer import ScalarBuffer

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
        self.known: list[dict[str, float]] = [{} for _ in self.groups]
        scaler = getattr(self.learn, "scaler", None)
        scaled = scaler is not None and scaler.is_enabled()
        self.history = []
        self.total, self.count = self._nothing()
        self.skipped = 0
        self.scaling = [cb for cb in self.learn.cbs if scaled and isinstance(cb, HalfPrecision)]

    def after_batch(self) -> None:
        learn = self.learn
        loss, rows, terms = self._losses()
        finite = loss.isfinite()
        self.total += torch.where(finite, loss * rows, 0)  # one NaN would hide the whole epoch
        self.count += finite * rows
        values: dict[str, Any] = {"train/loss": loss, **self._changed()}
        if self.several:
            values |= {f"train/loss_{name}": value for name, value in terms.items()}
        for amp in self.scaling:
            values["optimiser/loss_scale"] = amp.loss_scale
        epoch = learn.epoch + (learn.iter + 1) / learn.n_iter
        self.buffer.add(values, global_step=learn.train_iter, epoch=epoch)

    def after_epoch(self) -> None:
        learn = self.learn
        self.buffer.flush()
        scores = {"train/loss_epoch": float(self.total / self.count)}
        learn.scores = distributed.from_first(scores | valid_scores(learn))
        self.history.append({"epoch": learn.epoch + 1, **learn.scores})
        values = learn.scores | self._skipped()
        self.logger.scalars(values, global_step=learn.train_iter, epoch=learn.epoch + 1)
        self.total, self.count = self._nothing()
        self.skipped = sum(amp.skipped_steps for amp in self.scaling)

    def after_fit(self) -> None:
        if not self.learn.interrupted:  # or the checkpoint has what is kept back
            self.buffer.flush()

    def saved_state(self) -> dict[str, Any]:
        return {
            "buffer": self.buffer.rows(),
            "known": self.known,
            "history": self.history,
            "total": self.total,
            "count": self.count,
            "skipped": self.skipped,
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        """Go on with the epoch where another session left it."""
        self.buffer.restore(state["buffer"])
        self.known, self.history = state["known"], state["history"]
        self.total, self.count = (state[k].to(self.learn.device) for k in ("total", "count"))
        self.skipped = state["skipped"]

    def _losses(self) -> tuple[torch.Tensor, int, dict[str, torch.Tensor]]:
        """Return the batch's loss, its samples and the mean of each term, over all processes."""
        learn = self.learn
        loss, rows = learn.loss.detach(), len(learn.batch[INDEX])
        samples = learn.loss_func.samples if self.several else {}
        terms = {name: value.mean() for name, value in samples.items()}
        if distributed.size() == 1:
            return loss, rows, terms
        share = share_of(learn.dls.train) / distributed.size()
        loss, *means = distributed.add_up(torch.stack([loss, *terms.values()]) * share)
        return loss, batch_size_of(learn.dls.train), dict(zip(terms, means, strict=True))

    def _nothing(self) -> torch.Tensor:
        """Return a sum and a count on the device: adding to them does not wait for the step."""
        return torch.zeros(2, device=self.learn.device)

    def _skipped(self) -> dict[str, float]:
        """Return how many steps of the epoch fp16 left out, if it is on."""
        total = sum(amp.skipped_steps for amp in self.scaling)
        return {"optimiser/skipped_steps": total - self.skipped} if self.scaling else {}

    def _changed(self) -> dict[str, float]:
        """Return the learning rates, and of every group what is not as it was last logged."""
        found = {}
        for group, known in zip(self.groups, self.known, strict=True):
            for name, value in optimiser_values(group).items():
                if name.startswith("lr") or value != known.get(name):
                    found[f"optimiser/{name}_{group['group_name']}"] = known[name] = value
        return found


def optimiser_values(group: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a parameter group that may change; pairs get a suffix."""
    values: dict[str, float] = {}
    for name in CHANGING:
        value = group.get(name)
        if isinstance(value, tuple):
            values |= {f"{name}_{place}": float(part) for place, part in enumerate(value)}
        elif value is not None:
            values[name] = float(value)
    return values


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
