"""Keeps the whole state of a training, so that an interruption costs minutes and no bit."""

from typing import Any

from common import distributed
from common.callbacks.accumulate import batches_of, step_is_whole
from common.callbacks.average import Average
from common.callbacks.base import Callback
from common.callbacks.best import predicting, warn
from common.callbacks.interrupt import Interrupt
from common.checkpoints import (
    PARTIAL,
    load_newest,
    random_state,
    restore_random_state,
    save_checkpoint,
)
from common.data.loaders import batch_size_of
from common.errors import KitError
from common.runs import Run
from common.session import SAVE, Session


class Checkpoint(Callback):
    """Saves `last.pt` at the start, every so many minutes and when all of an epoch is done.

    The one before stays as `last_before.pt`. Callbacks with `saved_state` and `restore_state`
    travel along. A failed save is reported and tried again at the next occasion.

    Args:
        facts: what predicting needs beside the weights.
        logger: its state travels with the run.
        minutes: between two saves within an epoch; 0 = none there.
        session: is told how long a save takes.
    """

    order = Interrupt.order - 1  # after all else, so that a stop finds the batch counted

    def __init__(
        self,
        run: Run,
        facts: dict[str, Any],
        logger: Any = None,
        minutes: float = 0,
        session: Session | None = None,
    ) -> None:
        self.run_folder, self.facts, self.logger, self.minutes = run, facts, logger, minutes
        self.session = session or Session()
        self.error: KitError | None = None
        self.seconds, self.started, self.saved = 0.0, self.session.now(), self.session.now()
        self.restored: dict[str, Any] | None = None
        self.kept = 0, 0  # epoch and batch of the newest checkpoint
        self.done, self.between = 0, False  # batches of the epoch; whether no step is half done
        if distributed.is_first():
            for partial in run.checkpoints.glob(f".*{PARTIAL}"):  # of a process that was killed
                partial.unlink(missing_ok=True)

    @property
    def total_seconds(self) -> float:
        """Training time over all sessions of the run."""
        return self.seconds + self.session.now() - self.started

    def before_fit(self) -> None:
        self.started = self.saved = self.session.now()
        self.done, self.between = self.learn.first_batch, True
        if self.restored is None:
            self.save()  # a disk that is full is noticed now, and weights are loaded once
            return
        self._restore(self.restored)
        if not self.done:
            restore_random_state(self.restored["random"])

    def before_train(self) -> None:
        self.done = self.learn.first_batch
        if self.restored and self.done:
            # After fastai has set its counter for the epoch, which is right at the epoch's start.
            self.learn.pct_train = self.restored["pct_train"]
            restore_random_state(self.restored["random"])
        self.restored = None

    def before_batch(self) -> None:
        self.between = not self.learn.training

    def after_batch(self) -> None:
        if self.learn.training:
            self.done, self.between = self.learn.iter + 1, True
        if self.minutes and self.session.now() - self.saved > 60 * self.minutes and self.is_exact:
            self.learn.settle()
            self.save()

    @property
    def is_exact(self) -> bool:
        """Whether a save now would miss nothing: gradients that other processes keep are theirs."""
        alone = distributed.size() == 1
        return alone or step_is_whole(self.learn, batches_of(self.learn))

    def after_epoch(self) -> None:
        self.save(epoch_is_over=True)
        self.done = 0

    def after_cancel_fit(self) -> None:
        if self.learn.interrupted:
            self.save()

    def after_fit(self) -> None:
        if self.error:
            raise self.error

    def save(self, epoch_is_over: bool = False) -> None:
        """Write all that an exact continuation from here needs; the first process does."""
        if not distributed.is_first():
            return
        began = self.session.now()
        content = predicting(self.learn, self.facts)
        training = self.training_state(epoch_is_over)
        try:
            last, before = self.run_folder.saved
            save_checkpoint(last, {**content, "training": training}, keep=before)
            self.error, self.kept = None, (training["epoch"], training["batch"])
        except KitError as error:
            self.error = error
            warn(error)
        self.saved = self.session.now()
        self.session.took(SAVE, self.saved - began)

    def training_state(self, epoch_is_over: bool = False) -> dict[str, Any]:
        """Return the state between two batches, as tensors and plain values."""
        learn = self.learn
        scaler = getattr(learn, "scaler", None)
        return {
            "weights": _trained_model(learn).state_dict(),
            "gradients": {} if epoch_is_over else _gradients(learn),
            "optimiser": learn.opt.opt.state_dict(),
            "scaler": scaler.state_dict() if scaler else None,
            "random": random_state(),
            "epoch": learn.epoch + epoch_is_over,
            "batch": 0 if epoch_is_over else self.done,
            "batch_size": batch_size_of(learn.dls.train),
            "train_iter": learn.train_iter,
            "pct_train": learn.pct_train,
            "callbacks": {name: cb.saved_state() for name, cb in _stateful(learn).items()},
            "loggers": self.logger.state() if self.logger else {},
            "seconds": self.total_seconds,
        }

    def resume(self) -> dict[str, Any]:
        """Load the newest whole checkpoint into the learner; the fit then goes on from there."""
        content = distributed.from_first(self._load() if distributed.is_first() else {})
        self.learn.scores = content["scores"]
        self.learn.known_thresholds = content["thresholds"]
        state = content["training"]
        self.kept = state["epoch"], state["batch"]
        return self.go_on_from(state)

    def _load(self) -> dict[str, Any]:
        path, content = load_newest(self.run_folder.saved)
        last, _ = self.run_folder.saved
        if path != last:
            path.replace(last)  # or the next save would keep the damaged one in its stead
        return content

    def go_on_from(self, state: dict[str, Any]) -> dict[str, Any]:
        """Put a state into the learner, the rest of it when the fit begins."""
        learn = self.learn
        learn.model.load_state_dict(state["weights"])
        if learn.opt is None:
            learn.create_opt()
        learn.opt.opt.load_state_dict(state["optimiser"])
        self.restored, self.seconds = state, state["seconds"]
        learn.first_epoch, learn.first_batch = state["epoch"], state["batch"]
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        learn = self.learn
        learn.train_iter = state["train_iter"]
        if state["scaler"]:
            learn.scaler.load_state_dict(state["scaler"])
        parameters = dict(learn.model.named_parameters())
        for name, gradient in state["gradients"].items():
            parameters[name].grad = gradient.to(parameters[name].device)
        for name, callback in _stateful(learn).items():
            if name in state["callbacks"]:
                callback.restore_state(state["callbacks"][name])


def _trained_model(learn: Any) -> Any:
    """Return the model that is trained, also while its average validates."""
    swapped = [cb.raw for cb in learn.cbs if isinstance(cb, Average) and cb.raw is not None]
    return swapped[0] if swapped else learn.model


def _gradients(learn: Any) -> dict[str, Any]:
    """Return what accumulated batches left behind; after a step there is nothing."""
    named = _trained_model(learn).named_parameters()
    return {name: p.grad for name, p in named if p.grad is not None}


def _stateful(learn: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for callback in learn.cbs:
        if hasattr(type(callback), "saved_state"):
            name = type(callback).__name__
            found[f"{name}{len(found)}" if name in found else name] = callback
    return found
