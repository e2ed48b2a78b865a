"""Withholds a step whose loss or gradients are not finite, and says where that began."""

from math import isfinite
from typing import Any, Literal

from fastai.callback.core import CancelFitException, CancelStepException
from torch import Tensor

from common.callbacks.anomaly.finding import Finding, unknown
from common.callbacks.anomaly.moment import Buffers, Cursor, Moment, Random, finite_total
from common.callbacks.anomaly.replay import Replay
from common.callbacks.anomaly.report import Reporter
from common.callbacks.anomaly.trace import is_finite
from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks.steps import Listener
from common.callbacks.mix import Mix

Policy = Literal["stop", "skip", "raise"]
IN_A_ROW = 20  # steps left out one after the other, from which on nothing will get better


class Anomaly(FloatingPointError):
    """A step was not finite, and the policy is to raise."""


class Anomalies(Callback):
    """Looks at each step before the optimiser moves; see `train.anomaly` for what follows.

    A bad step is replayed and reported; weights, optimiser and running means stay as they were.
    In fp16 an overflow is the loss scaler's business until it repeats and comes back without a
    scale.
    """

    # Gradients are unscaled there, neither clipped nor looked at.
    order, run_valid = HalfPrecision.order + 0.4, False

    def __init__(self, policy: Policy, reporter: Reporter) -> None:
        self.policy, self.reporter = policy, reporter
        self.count = 0  # steps left out in this fit
        self.arrival = Listener(Mix.order - 1, {"before_batch": self._arrive})

    def before_fit(self) -> None:
        learn = self.learn
        self.parameters = [p for part in learn.opt.param_lists for p in part]
        scaler = getattr(learn, "scaler", None)
        self.scaled = scaler is not None and scaler.is_enabled()
        self.count, self.in_a_row, self.overflows, self.ours = 0, 0, 0, False
        if self.arrival not in learn.cbs:
            learn.add_cb(self.arrival)

    def after_fit(self) -> None:
        self.learn.remove_cb(self.arrival)

    def before_train(self) -> None:
        self.buffers, self.group = Buffers(self.learn.model), list[Moment]()

    def _arrive(self) -> None:
        self.arrived, self.raw = Random.take(), self.learn.batch

    def before_batch(self) -> None:
        learn = self.learn
        same = learn.batch is self.raw  # not mixed: nothing was drawn since
        started = self.arrived if same else Random.take()
        cursor = Cursor(learn.iter, learn.train_iter, learn.pct_train)
        copies = self.buffers.copy(len(self.group))
        self.group.append(Moment(learn.batch, self.arrived, started, copies, cursor))

    def after_loss(self) -> None:
        self.group[-1].loss = self.learn.loss.detach()

    def before_step(self) -> None:
        # The scaler has looked at fp16 gradients already.
        gradients = [] if self.scaled else [p.grad for p in self.parameters if p.grad is not None]
        if isfinite(finite_total(self._losses(), gradients).item()):
            self.overflows = self.in_a_row = 0
            return
        self._meet(sure=True)
        self.ours = True
        raise CancelStepException()

    def after_cancel_step(self) -> None:
        if self.ours:
            return
        self.overflows += 1  # the scaler left this step out
        lost = not isfinite(finite_total(self._losses(), []).item())
        if lost or self._is_due():
            self._meet(sure=lost)

    def after_step(self) -> None:
        self.group, self.ours = [], False

    def _losses(self) -> list[Tensor]:
        return [moment.loss for moment in self.group if moment.loss is not None]

    def _is_due(self) -> bool:
        """Tell whether to look at overflows in a row, after 2, 4, 8 and so on."""
        return self.overflows > 1 and self.overflows & (self.overflows - 1) == 0

    def _meet(self, sure: bool) -> None:
        """Find out, put back, report, and do what the policy says.

        Args:
            sure: False where it may be an overflow that a smaller loss scale will mend.
        """
        now, moments = Random.take(), self.group
        after = [buffer.clone() for buffer in self.buffers.buffers]
        try:
            finding, moment = self._find()
        except Exception as error:  # the alarm matters more than its cause
            finding, moment = unknown(self._bad_parameters(), f"the replay failed: {error!r}"), moments[-1]
        now.put_back()
        if finding is None and not sure:
            self.buffers.put_back(after)
            return
        self.buffers.put_back(moments[0].buffers)
        self.count += 1
        self.in_a_row += 1
        found = finding or self._unexplained()
        self.reporter.report(self.learn, moment, found, self.count, self.policy)
        self._follow(found)

    def _find(self) -> tuple[Finding | None, Moment]:
        replay = Replay(self.learn, self.buffers)
        for moment in self.group:
            if (found := replay.find(moment)) is not None:
                return found, moment
        return None, self.group[-1]

    def _unexplained(self) -> Finding:
        bad = self._bad_parameters()
        large = "gradients are so large that their norm overflows float32"
        again = "the replay was finite: the step cannot be reproduced"
        lost = not isfinite(finite_total(self._losses(), []).item())
        return unknown(bad, again if bad or lost else large)

    def _bad_parameters(self) -> list[str]:
        named = self.learn.model.named_parameters()
        return [name for name, p in named if p.grad is not None and not is_finite(p.grad)]

    def _follow(self, found: Finding) -> None:
        if self.policy == "raise":
            raise Anomaly(f"step {self.learn.train_iter + 1}: {found.headline} ({found.where})")
        if self.policy == "stop" or self.in_a_row >= IN_A_ROW:
            self._rewind()
            self.learn.interrupted = f"anomaly: {found.headline} ({found.where})"
            raise CancelFitException()

    def _rewind(self) -> None:
        """Let the training be where it was before the first batch of the step."""
        learn, first = self.learn, self.group[0]
        first.arrived.put_back()
        learn.opt.zero_grad()
        # A checkpoint names the batch after the current one as the next.
        learn.iter = first.cursor.iter - 1
        learn.train_iter, learn.pct_train = first.cursor.train_iter, first.cursor.pct_train

