"""What can break a training from outside: said in one line, with the state kept."""

import errno
import gc
import sys
from contextlib import suppress
from typing import Any

import torch
from fastai.callback.core import CancelFitException

from common import distributed
from common.callbacks.accumulate import Accumulate, batches_of
from common.callbacks.average import Average
from common.callbacks.checkpoint import Checkpoint
from common.callbacks.interrupt import Interrupt
from common.config import Config
from common.data.loaders import batch_size_of
from common.errors import KitError, cannot_write
from common.learners.base import Learner

FEWEST = 2  # images of a batch; batch norm cannot train on one
GO_ON = "go on by --resume"
NO_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "ALLOC_FAILED")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def fit_through(learner: Learner, config: Config, saver: Checkpoint) -> None:
    """Fit to the end; with `train.halve_batch` through too little memory, too, in one process.

    Raises:
        KitError: a line that says what broke, what is kept and how to go on.
    """
    while True:
        try:
            learner.fit(config.train.freeze_epochs + config.train.epochs)
            return
        except Exception as error:
            halves = config.train.halve_batch and _size(learner) // 2 >= FEWEST
            others = distributed.size() > 1  # who have their memory, and wait
            if others or not (halves and is_out_of_memory(error)):
                kept = _keep(learner, saver)
                raise explain(error, learner, config, kept) from error
        _halve(learner, saver)  # outside of the handler, whose traceback holds the tensors


def is_out_of_memory(error: Exception) -> bool:
    """Return whether the device, or the host, had no memory left for a tensor."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in NO_MEMORY)


def explain(error: Exception, learner: Learner, config: Config, kept: str) -> Exception:
    """Return the error as one line where it is known what it means, else as it is."""
    if isinstance(error, KitError):
        return error
    if is_out_of_memory(error):
        return _out_of_memory(learner, config, kept)
    if "DataLoader worker" in str(error):
        return _worker_died(error, config, kept)
    if distributed.is_lost(error):
        return distributed.lost(f"{kept}; {GO_ON}, with as many processes as you like")
    if isinstance(error, OSError) and error.errno in DISK:
        return cannot_write(error.filename or "the run folder", error, f"{kept}; ")
    return error


def take_batch_size(learner: Learner, state: dict[str, Any]) -> None:
    """Train in the batches of the session that a state is from, which may have halved them."""
    if state["batch_size"] != _size(learner):
        _accumulate(learner, max(_size(learner) // state["batch_size"], 1))
        learner.set_batch_size(state["batch_size"])


def _out_of_memory(learner: Learner, config: Config, kept: str) -> KitError:
    size, train = _size(learner), config.train
    where, side = str(learner.device), config.data.img_size
    image = f"images of {side} px" if side else "images in full size"
    advice = "a smaller data.img_size, train.amp or a smaller model"
    if (half := size // 2) >= FEWEST:
        advice = (
            f"{GO_ON} with train.halve_batch=true, or begin anew with train.batch_size={half} "
            f"train.accumulate={2 * train.accumulate} (the same steps), or {advice}"
        )
    return KitError(
        f"expected a batch to fit into the memory of {where}, got out of memory with "
        f"train.batch_size={size} and {image}; {kept}; {advice}"
    )


def _worker_died(error: Exception, config: Config, kept: str) -> KitError:
    said = " ".join(str(error).split())
    fewer = max(config.data.num_workers // 2, 0)
    return KitError(
        f"expected the processes that read images to live, got: {said}; {kept}; often memory ran "
        f"out: {GO_ON} with data.num_workers={fewer}"
    )


def _keep(learner: Learner, saver: Checkpoint) -> str:
    """Save what is exact; return what there is to go on from."""
    for callback in learner.cbs:
        if isinstance(callback, Interrupt) and distributed.size() == 1:  # torchrun sends SIGTERM
            callback.release()
    if saver.between and learner.opt is not None and saver.is_exact:
        with suppress(CancelFitException):  # what it rewinds is not lost
            learner.settle()
        saver.save()
    if not distributed.is_first():
        return "what the first process saved is kept"
    if not saver.run_folder.can_resume:
        return "nothing is saved yet"
    return f"kept: epoch {saver.kept[0]}, batch {saver.kept[1]}"


def _halve(learner: Learner, saver: Checkpoint) -> None:
    learner._end_cleanup()
    for callback in learner.cbs:
        if isinstance(callback, Average):  # or the average would be overwritten in its place
            callback.after_validate()
    learner.opt.opt.zero_grad()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    size, group = _size(learner), batches_of(learner)
    if learner.training and saver.done < learner.n_iter:
        saver.done -= saver.done % group  # gradients of the group's earlier batches are gone
    state = saver.training_state()
    print(
        f"warning: out of memory with batches of {size}; going on with {size // 2} and "
        f"{2 * group} of them a step",
        file=sys.stderr,
        flush=True,
    )
    _accumulate(learner, 2)
    learner.set_batch_size(size // 2)
    saver.go_on_from({**state, "batch": state["batch"] * size // (size // 2)})


def _size(learner: Learner) -> int:
    return batch_size_of(learner.dls.train)


def _accumulate(learner: Learner, factor: int) -> None:
    """Let a step have `factor` times as many batches."""
    batches = factor * batches_of(learner)
    learner.remove_cbs([cb for cb in learner.cbs if isinstance(cb, Accumulate)])
    if batches > 1:
        learner.add_cb(Accumulate(batches))
