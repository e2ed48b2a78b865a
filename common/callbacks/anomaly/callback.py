"""Withholds a step whose loss or gradients are not finite, and says where that began."""

from typing import Literal

from fastai.callback.core import CancelBatchException, CancelFitException, CancelStepException
from torch import Tensor, is_anomaly_enabled

from common import distributed
from common.callbacks.anomaly.aftermath import find, rewind, unexplained
from common.callbacks.anomaly.agreement import agree
from common.callbacks.anomaly.finding import Finding, unknown
from common.callbacks.anomaly.gate import Gate
from common.callbacks.anomaly.generators import Generators, Random
from common.callbacks.anomaly.moment import (
    Buffers,
    Cursor,
    Moment,
    are_finite,
    norms_of,
    total_of,
    trained_parameters,
)
from common.callbacks.anomaly.report import MOST, Reporter
from common.callbacks.anomaly.trace import is_finite
from common.callbacks.base import Again, Callback
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks.steps import Listener
from common.callbacks.mix import Mix
from common.callbacks.norms import by_itself

Policy = Literal["stop", "skip", "raise"]
IN_A_ROW = 20  # steps left out one after the other, from which on nothing will get better


class Anomaly(FloatingPointError):
    """A step was not finite, and the policy is to raise."""


class Anomalies(Callback):
    """Looks at each step before the optimiser moves; see `train.anomaly` for what follows.

    A bad step is replayed and reported; weights, optimiser and running means stay as they were. It
    is bad for all processes that make it together if it is for one.
    In fp16 an overflow is the loss scaler's business until it repeats and comes back without a
    scale.

    On a GPU the host waits for no verdict: the optimiser withholds the step by itself, and the host
    learns of it when the next batch's backward is queued (`settle`), which then runs again. Not so
    with an average of weights or several processes, which have to know at once.
    """

    # Gradients are unscaled there, neither clipped nor looked at.
    order, run_valid = HalfPrecision.order + 0.4, False

    def __init__(self, policy: Policy, reporter: Reporter, gated: bool | None = None) -> None:
        """Make it.

        Args:
            gated: let the optimiser withhold the step by itself, see Gate; None: on a GPU.
        """
        self.policy, self.reporter, self.gated = policy, reporter, gated
        self.count = 0  # steps left out in this fit
        self.arrival = Listener(Mix.order - 1, {"before_batch": self._arrive})

    def before_fit(self) -> None:
        learn = self.learn
        self.parameters = trained_parameters(learn)
        scaler = getattr(learn, "scaler", None)
        self.scaled = scaler is not None and scaler.is_enabled()
        self.gate = self._make_gate()
        self.at_once = distributed.size() > 1 or any(isinstance(cb, Ema) for cb in learn.cbs)
        self.norms: list[Tensor] = []  # of the gradients of a step, for whoever needs them too
        self.open: list[Moment] = []  # of a step whose verdict is not read yet
        self.count, self.in_a_row, self.overflows = 0, 0, 0
        self.ours = self.detected = False
        learn.on_backward_error, learn.settle = self._detect, self.settle
        if self.arrival not in learn.cbs:
            learn.add_cb(self.arrival)

    def after_fit(self) -> None:
        self.learn.on_backward_error = None
        self.learn.__dict__.pop("settle", None)
        self.learn.remove_cb(self.arrival)

    def before_train(self) -> None:
        self.buffers, self.group = Buffers(self.learn.model), list[Moment]()
        self.generators = Generators()

    def _arrive(self) -> None:
        self.arrived, self.raw = self.generators.take(), self.learn.batch

    def before_batch(self) -> None:
        learn = self.learn
        same = learn.batch is self.raw  # not mixed: nothing was drawn since
        started = self.arrived if same else self.generators.take()
        cursor = Cursor(learn.iter, learn.train_iter, learn.pct_train)
        copies = self.buffers.copy()
        self.group.append(Moment(learn.batch, self.raw, self.arrived, started, copies, cursor))

    def after_loss(self) -> None:
        self.group[-1].loss = self.learn.loss.detach()

    def after_backward(self) -> None:
        if self.settle():
            self.group[-1].arrived.put_back()
            self._next_group()
            raise Again()

    def before_step(self) -> None:
        if is_anomaly_enabled():
            self.detected = distributed.any_of(self.detected)
        # The scaler has looked at fp16 gradients already.
        self.norms = [] if self.scaled else norms_of(self.parameters)
        values = [*self._losses(), *self.norms]  # gradients are of all processes, losses are not
        if self.gate and not self.detected:
            self.gate.set(total_of(values))
        elif self.detected or not are_finite(values):
            self._meet(sure=True)
            self.ours = True
            raise CancelStepException()

    def after_cancel_step(self) -> None:
        if self.ours:
            return
        self.overflows += 1  # the scaler left this step out
        lost = distributed.any_of(self.detected or self._loss_is_lost())
        if lost or self._is_due():
            self._meet(sure=lost)
        self.ours = True  # no step was made

    def after_step(self) -> None:
        if self.gate and not self.ours:
            self.open, self.group = self.group, []
            if self.at_once and self.settle():
                self.learn.opt.zero_grad()
                raise CancelBatchException()
            return
        if not self.ours:
            self.overflows = self.in_a_row = 0
        self._next_group()

    def after_train(self) -> None:
        self.settle()

    def settle(self) -> bool:
        """Learn what became of the last step if that is open; return whether it was withheld."""
        if self.gate is None or not self.open:
            return False
        begun, self.group, self.open = self.group, self.open, []
        shut = self.gate.was_shut()
        if shut:
            if begun:
                self.learn.opt.zero_grad()  # gradients of a batch that has to run again
            self._meet(sure=True)
        else:
            self.in_a_row = 0
        self._free()
        self.group = begun
        return shut

    def _next_group(self) -> None:
        self._free()
        self.group, self.ours, self.detected = [], False, False

    def _free(self) -> None:
        self.buffers.free += [moment.buffers for moment in self.group]

    def _make_gate(self) -> Gate | None:
        optimiser = self.learn.opt.opt
        wanted = self.learn.device.type == "cuda" if self.gated is None else self.gated
        return Gate(optimiser) if wanted and not self.scaled and Gate.fits(optimiser) else None

    def _detect(self, error: RuntimeError) -> None:
        """Take what `train.detect_anomaly` found for what it is; any other error is raised."""
        if "nan values" not in str(error):
            raise error
        self.detected = True

    def _loss_is_lost(self) -> bool:
        return not all(is_finite(loss) for loss in self._losses())

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
        with by_itself(self.learn.model):
            finding, moment = self._find(sure)
        finding, moment = agree(finding, moment)
        now.put_back()
        if finding is None and not sure:
            self.buffers.put_back(after)
            return
        self.buffers.put_back(moments[0].buffers)
        self.count += 1
        self.in_a_row += 1
        found = finding or unexplained(self.learn.model, self._loss_is_lost())
        if distributed.is_first():
            self.reporter.report(self.learn, moment, found, self.count, self.policy)
        self._follow(found)

    def _find(self, sure: bool) -> tuple[Finding | None, Moment]:
        """Return what is wrong, None if nothing is, and the batch it is about."""
        last = self.group[-1]
        if sure and self.count >= MOST:
            return unknown([], "so many steps are bad that no more are replayed"), last
        return find(self.learn, self.buffers, self.group)

    def _follow(self, found: Finding) -> None:
        if self.policy == "raise":
            step = self.group[-1].cursor.train_iter + 1
            raise Anomaly(f"step {step}: {found.headline} ({found.where})")
        if self.policy == "stop" or self.in_a_row >= IN_A_ROW:
            rewind(self.learn, self.group[0])
            self.learn.interrupted = f"anomaly: {found.headline} ({found.where})"
            raise CancelFitException()
