"""What follows a bad step: its cause is looked for, and the training goes back to its start."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from common.callbacks.anomaly.finding import Finding, unknown
from common.callbacks.anomaly.moment import Buffers, Moment
from common.callbacks.anomaly.replay import Replay
from common.callbacks.anomaly.trace import is_finite
from common.callbacks.checkpoint import Checkpoint

LARGE = "gradients are so large that their norm overflows float32"
AGAIN = "the replay was finite: the step cannot be reproduced"


def find(learn: Any, buffers: Buffers, group: Sequence[Moment]) -> tuple[Finding | None, Moment]:
    """Replay the batches of a step; return what is wrong, None if nothing is, and with which."""
    last = group[-1]
    try:
        replay = Replay(learn, buffers)
        found = ((replay.find(moment), moment) for moment in group)
        return next(((finding, moment) for finding, moment in found if finding), (None, last))
    except Exception as error:  # such as memory: the alarm matters more than its cause
        return unknown(bad_parameters(learn.model), f"the replay failed: {error!r}"), last


def unexplained(model: nn.Module, loss_is_lost: bool) -> Finding:
    """Return what is left to say of a step whose replay was finite."""
    bad = bad_parameters(model)
    if bad or loss_is_lost:
        return unknown(bad, AGAIN)
    gone = all(p.grad is None for p in model.parameters())  # the verdict came late
    return unknown([], f"{AGAIN}, or {LARGE}" if gone else LARGE)


def bad_parameters(model: nn.Module) -> list[str]:
    """Return the names of parameters whose gradient is not finite."""
    named = model.named_parameters()
    return [name for name, p in named if p.grad is not None and not is_finite(p.grad)]


def rewind(learn: Any, first: Moment) -> None:
    """Let the training be where it was before the first batch of a step."""
    first.arrived.put_back()
    learn.opt.zero_grad()
    for callback in learn.cbs:
        if isinstance(callback, Checkpoint):
            callback.done = first.cursor.iter
    learn.train_iter, learn.pct_train = first.cursor.train_iter, first.cursor.pct_train
