"""A step waits for no number: what would make a GPU stand still is read every so many steps."""

import sys
from collections import Counter
from functools import partial

import pytest
import torch
from fastai.callback.core import Callback

from common.callbacks import anomaly
from common.callbacks.anomaly import Anomalies
from common.callbacks.anomaly.gate import Gate

READS = ["item", "tolist", "cpu", "numpy", "__float__", "__int__", "__bool__", "__index__"]
READS += ["__array__", "__contains__"]
# Not of the device: Gate reads its verdict from a copy in the host's memory, and mixing draws there
ON_THE_HOST = {"gate.py", "mix.py"}
EVERY = 4


class Counting(Callback):
    """Counts the reads of every training step by the file of the kit, or of torch, that asks."""

    order = -2000

    def __init__(self, monkeypatch) -> None:
        self.patch, self.reads, self.steps, self.inside = monkeypatch, Counter(), 0, False
        for name in READS:
            monkeypatch.setattr(torch.Tensor, name, self._counted(getattr(torch.Tensor, name)))

    def _counted(self, read):
        def counted(tensor, *args, **kwargs):
            if not self.inside:
                return read(tensor, *args, **kwargs)
            self.inside = False  # one that calls another is one
            try:
                self.reads[reader()] += 1
                return read(tensor, *args, **kwargs)
            finally:
                self.inside = True

        return counted

    def before_fit(self) -> None:
        one_batch = self.learn.one_batch

        def counted(*args):
            self.inside = self.learn.training
            self.steps += self.learn.training
            try:
                one_batch(*args)
            finally:
                self.inside = False

        self.learn.one_batch = counted


def reader() -> str:
    """Return the innermost file of the kit on the stack."""
    frame = sys._getframe(2)
    while frame and "/common/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code.co_filename.rpartition("/")[2] if frame else "elsewhere"


class Asking:
    """Counts how many steps after its own one the host asks whether a step was withheld."""

    def __init__(self, monkeypatch, counting: Counting) -> None:
        self.late: Counter[int] = Counter()
        own, ask = Gate.set, Gate.was_shut

        def set(gate, total):
            gate.step = counting.steps
            own(gate, total)

        def was_shut(gate):
            self.late[counting.steps - gate.step] += 1
            return ask(gate)

        monkeypatch.setattr(Gate, "set", set)
        monkeypatch.setattr(Gate, "was_shut", was_shut)


VARIANTS = {
    "plain": {},
    "all that a step may have": {
        "train.accumulate": 2,
        "train.clip_norm": 1.0,
        "train.ema_decay": 0.9,
        "train.mixup": 0.4,
        "train.amp": "bf16",
        "train.loss": {"cross_entropy": 0.5, "focal": 1.0},
        "log.looks": ("gradients", "timing"),
        "log.gradients_every": 2,
    },
    "fp16": {"train.amp": "fp16", "train.anomaly": "off"},  # its first steps overflow by design
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_reads_nothing_from_the_device(config, train, monkeypatch, variant) -> None:
    monkeypatch.setattr(anomaly, "Anomalies", partial(Anomalies, gated=True))  # as on a GPU
    counting = Counting(monkeypatch)
    asking = Asking(monkeypatch, counting)
    common = {"train.batch_size": 2, "train.epochs": 1, "log.every": EVERY}
    train(config.model_copy(update=common | VARIANTS[variant]), "counted", counting)
    assert counting.steps == 12
    reads = counting.reads.copy()
    assert reads.pop("buffer.py") == counting.steps // EVERY
    assert reads.pop("half_precision.py", 0) == counting.steps * (variant == "fp16")
    assert set(reads) <= ON_THE_HOST
    assert reads["gate.py"] <= counting.steps
    read = counting.steps // EVERY  # steps after which losses are read: nothing is late then
    late = {"plain": {1: counting.steps - read, 0: read}, "fp16": {}}
    # an average of weights asks in its own step, behind the optimiser's work in the queue
    assert asking.late == late.get(variant, {0: counting.steps // 2})
