"""Learning rate and momentum over training, written straight into the optimiser."""

from collections.abc import Callable
from math import cos, pi
from typing import Any

from common.callbacks.base import Callback

Shape = Callable[[float], tuple[float, float | None]]


class Schedule(Callback):
    """Set every group's rate to its peak times a factor, before each step.

    fastai's scheduler does the same through tensors and copies of all hyper-parameters, about
    0.4 ms a step; its `fit_one_cycle` still works on the Learner.

    Args:
        shape: share of training done -> factor of the peak rate, and momentum or None.
    """

    order, run_valid = 60, False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def before_fit(self) -> None:
        self.groups = self.learn.opt.opt.param_groups
        self.peaks = [group["peak_lr"] for group in self.groups]

    def before_batch(self) -> None:
        factor, momentum = self.shape(self.learn.pct_train)
        for group, peak in zip(self.groups, self.peaks, strict=True):
            group["lr"] = peak * factor
            if momentum is not None:
                _set_momentum(group, momentum)


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set what Adam and SGD call momentum; other optimisers keep their own."""
    if len(group.get("betas", ())) == 2:
        group["betas"] = (momentum, group["betas"][1])
    elif "betas" not in group and group.get("momentum"):
        group["momentum"] = momentum


def make_shape(name: str, warmup: float) -> Shape:
    """Return a named schedule: one_cycle, cosine, flat_cosine or constant.

    Args:
        warmup: share of training in which the rate rises to its peak.
    """
    return {
        "one_cycle": lambda done: one_cycle(done, warmup),
        "cosine": lambda done: (_rise(done, warmup) or anneal(_after(done, warmup), 1, 1e-3), None),
        "flat_cosine": lambda done: (_rise(done, warmup) or _flat(done), None),
        "constant": lambda done: (_rise(done, warmup) or 1.0, None),
    }[name]


def one_cycle(done: float, warmup: float) -> tuple[float, float]:
    """Rise from 1/25 to 1 and fall to 1e-5, momentum 0.95 to 0.85 and back (Smith 2018)."""
    if done < warmup:
        return anneal(done / warmup, 1 / 25, 1), anneal(done / warmup, 0.95, 0.85)
    left = _after(done, warmup)
    return anneal(left, 1, 1e-5), anneal(left, 0.85, 0.95)


def anneal(done: float, start: float, end: float) -> float:
    """Return the point of a half cosine from start to end."""
    return start + (end - start) * (1 - cos(pi * done)) / 2


def freeze_then(shape: Shape, share: float) -> Shape:
    """Give the first `share` of training, with a frozen body, a cycle of its own."""

    def phased(done: float) -> tuple[float, float | None]:
        return shape(done / share) if done < share else shape((done - share) / (1 - share))

    return phased


def hold(shape: Shape, start: float, factor: float) -> Shape:
    """Lead the rate to `factor` of its peak within a twentieth of training, and keep it there."""
    before, momentum = shape(start)

    def held(done: float) -> tuple[float, float | None]:
        if done < start:
            return shape(done)
        return anneal(min((done - start) / 0.05, 1.0), before, factor), momentum

    return held


def _rise(done: float, warmup: float) -> float | None:
    return max(done / warmup, 1e-3) if done < warmup else None


def _after(done: float, warmup: float) -> float:
    return min((done - warmup) / (1 - warmup), 1.0)


def _flat(done: float) -> float:
    return 1.0 if done < 0.72 else anneal((done - 0.72) / 0.28, 1, 1e-5)  # 72 % flat, as fastai
