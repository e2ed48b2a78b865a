"""The parts of an epoch add up to its wall time, and each second is where it was spent."""

import time

import pytest
from fastai.callback.core import Callback as FastaiCallback

from common.callbacks.accumulate import Accumulate
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks import timing
from common.callbacks.looks.timing import PARTS, Ledger, Timing, judge
from common.callbacks.record import Record
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier

NAP = 0.04  # seconds


class Dream:
    """A clock on which only naps take time: other work on the machine changes nothing."""

    time = 0.0


def nap(seconds: float = NAP) -> None:
    Dream.time += seconds
    time.sleep(seconds)


@pytest.fixture
def dreaming(monkeypatch):
    monkeypatch.setattr(timing.HostClock, "now", staticmethod(lambda: Dream.time))


class Sleeper(FastaiCallback):
    """Sleeps at one event, of training unless told otherwise."""

    run_valid = False

    def __init__(self, event: str) -> None:
        setattr(self, event, nap)


@pytest.fixture
def timed(config, colours):
    """Return a function that trains with timing and gives the look and the wall time."""

    def train(*callbacks, prepare=lambda learner: None, epochs=2):
        loaders = fold_loaders(colours, 0, config)
        learner = make_learner(make_classifier(config), *loaders, [], config)
        prepare(learner)
        look = Timing(config, RecordingLogger())
        learner.add_cbs([look, Record(look.logger, 10), *callbacks])
        start = time.perf_counter()
        learner.fit(epochs, 1e-3)
        return look, time.perf_counter() - start

    return train


def slow_loader(name):
    def prepare(learner):
        dataset = getattr(learner.dls, name).dataset
        real = type(dataset).__getitem__

        class Slow(type(dataset)):
            def __getitem__(self, index):
                nap(NAP / 8)
                return real(self, index)

        dataset.__class__ = Slow

    return prepare


def slow_model(learner):
    learner.model.register_forward_pre_hook(lambda *_: nap())


def slow_backward(learner):
    weight = next(learner.model.parameters())
    weight.register_hook(lambda gradient: nap())


def slow_step(learner):
    learner.create_opt()
    learner.opt.opt.register_step_pre_hook(lambda *_: nap())


def slow_loss(learner):
    term = learner.loss_func.terms[0]
    real = term.function

    def function(output, target):
        nap()
        return real(output, target)

    object.__setattr__(term, "function", function)


@pytest.mark.parametrize("callbacks", [[], [Accumulate(2)], [HalfPrecision("fp16")]])
def test_the_parts_add_up_to_the_wall_time(timed, callbacks):
    look, wall = timed(*callbacks, prepare=slow_model, epochs=3)
    parts = [*look.epochs, look.rest]
    assert len(parts) == 4
    total = sum(sum(seconds.values()) for seconds in parts)
    assert total == pytest.approx(wall, rel=0.05)
    assert all(value >= 0 for seconds in parts for value in seconds.values())


@pytest.mark.parametrize(
    ("part", "prepare", "callbacks"),
    [
        ("data", slow_loader("train"), []),
        ("forward", slow_model, []),
        ("loss", slow_loss, []),
        ("backward", slow_backward, []),
        ("optimiser", slow_step, []),
        ("logging", lambda learner: None, [Sleeper("after_batch")]),
        ("validation", slow_loader("valid"), []),
    ],
)
def test_each_second_is_counted_where_it_was_spent(dreaming, timed, part, prepare, callbacks):
    look, _ = timed(*callbacks, prepare=prepare)
    samples = {"validation": 12, "data": 24}
    naps = samples[part] / 8 if part in samples else 3
    expected = {**dict.fromkeys(PARTS, 0.0), part: naps * NAP}
    if part in ("forward", "loss"):
        expected["validation"] = 2 * NAP  # of its two batches
    assert look.epochs[1] == pytest.approx(expected)


def test_copying_is_apart_from_waiting(dreaming, timed):
    def prepare(learner):
        class Slow(type(learner)):
            def _set_device(self, batch):
                nap()
                return batch

        learner.__class__ = Slow

    look, _ = timed(prepare=prepare)
    assert look.epochs[1]["copy"] == pytest.approx(3 * NAP)
    assert look.epochs[1]["data"] == 0
    assert "_set_device" not in vars(look.learn)


def test_what_holds_training_up_is_said_once_and_again_when_it_changes(dreaming, timed, capsys):
    look, _ = timed(prepare=slow_loader("train"), epochs=3)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("time:")]
    assert len(lines) == 1
    assert "input-bound" in lines[0]
    assert "data.num_workers" in lines[0]
    assert len(look.logger.of("figure", "time/parts")) == 3
    assert [value for _, value in look.logger.values("time/data")] == [
        seconds["data"] for seconds in look.epochs
    ]


def test_the_verdict_follows_the_largest_remediable_share(config):
    none = dict.fromkeys(PARTS, 0.0)
    for changed, kind in (
        ({"forward": 5, "backward": 5, "data": 1, "validation": 90}, "compute"),
        ({"forward": 1, "data": 9}, "input"),
        ({"forward": 2, "copy": 1}, "copy"),
        ({"backward": 80, "logging": 20}, "logging"),
        ({"backward": 0.8, "logging": 0.2}, "compute"),
        ({}, "compute"),
    ):
        assert judge(none | changed, config)[0] == kind
    cached = config.model_copy(update={"data.cache": True})
    assert "data.cache" not in judge(none | {"data": 1}, cached)[1]


class Late:
    """A clock whose marks are known some marks later, as a GPU's are."""

    def __init__(self, delay: int) -> None:
        self.delay, self.time = delay, 0

    def now(self):
        self.time += 1
        return self.time

    def passed(self, mark):
        return mark + self.delay <= self.time

    def seconds(self, start, end):
        return float(end - start)


@pytest.mark.parametrize("delay", [0, 7, 100])
def test_marks_are_folded_as_they_become_known_and_none_is_lost(monkeypatch, delay):
    monkeypatch.setattr(timing, "FOLD_AT", 16)
    ledger = Ledger(Late(delay))
    for step in range(500):
        ledger.mark(PARTS[step % 3])
        assert len(ledger.marks) <= 17 + 2 * delay
    sums = ledger.close()
    assert sum(sums.values()) == 500
    assert [sums[part] for part in PARTS[:4]] == [167, 167, 166, 0]
    assert sum(ledger.close().values()) == 0
