"""A device that withholds bad steps by itself: the host asks late, and all is as if at once."""

import pytest
import torch

from common.callbacks.anomaly import Anomalies, Anomaly, Reporter
from common.callbacks.anomaly.gate import Gate
from common.callbacks.base import Callback
from common.callbacks.ema import Ema
from common.callbacks.mix import Mix
from common.callbacks.record import Record
from common.checkpoints import random_state
from common.keys import IMAGE
from common.loggers.recording import RecordingLogger

from .anomaly_faults import spoiled
from .anomaly_learners import BATCHES, assert_same, config_of, learner_of


def guard(folder, policy="skip", gated=True) -> Anomalies:
    reporter = Reporter(config_of("classification"), RecordingLogger(), folder)
    return Anomalies(policy, reporter, gated)


def trained(*callbacks, spoil: int | None = None, epochs: int = 1):
    learner = learner_of(config_of("classification", **{"model.drop_rate": 0.3}))
    if spoil is not None:
        batch = learner.batches[spoil]
        learner.batches[spoil] = {**batch, IMAGE: spoiled(batch[IMAGE].float(), float("nan"))}
    learner.add_cbs(callbacks)
    torch.manual_seed(1)
    learner.fit(epochs)
    return learner


class Order(Callback):
    """Notes when a batch's backward and step are over, and when the host asks for a verdict."""

    order, run_valid = 1000, False

    def __init__(self, monkeypatch) -> None:
        self.seen: list[str] = []
        ask = Gate.was_shut
        monkeypatch.setattr(Gate, "was_shut", lambda gate: self.seen.append("ask") or ask(gate))

    def before_batch(self) -> None:
        self.seen.append(f"batch {self.learn.iter}")

    def after_step(self) -> None:
        self.seen.append("step")

    def after_train(self) -> None:
        self.seen.append("end")


class Backward(Callback):
    order, run_valid = -1000, False

    def __init__(self, order: Order) -> None:
        self.note = order

    def after_backward(self) -> None:
        self.note.seen.append("backward")


def test_the_host_asks_when_the_next_backward_is_queued(monkeypatch, tmp_path):
    order = Order(monkeypatch)
    trained(order, Backward(order), guard(tmp_path))
    one = ["backward", "ask", "step"]
    expected = ["batch 0", "backward", "step", "batch 1", *one, "batch 2", *one, "ask", "end"]
    assert order.seen == expected


def test_the_batch_after_a_bad_step_runs_again(monkeypatch, tmp_path):
    order = Order(monkeypatch)
    learner = trained(order, Backward(order), guard(tmp_path), spoil=0)
    again = ["batch 1", "backward", "ask", "batch 1", "backward", "step"]
    assert order.seen[:9] == ["batch 0", "backward", "step", *again]
    assert learner.train_iter == BATCHES
    assert not hasattr(learner.opt.opt, "found_inf")


def test_an_average_of_weights_has_to_know_at_once(monkeypatch, tmp_path):
    order = Order(monkeypatch)
    trained(order, Backward(order), guard(tmp_path), Ema(0.9))
    assert order.seen[:4] == ["batch 0", "backward", "ask", "step"]


@pytest.mark.parametrize("spoil", range(BATCHES))
@pytest.mark.parametrize("techniques", [list, lambda: [Mix(0.4, 0, 3)]], ids=["plain", "mixed"])
def test_late_is_as_at_once(spoil, techniques, tmp_path):
    found = []
    for gated in (False, True):
        record = Record(RecordingLogger(), 2)
        callbacks = [guard(tmp_path, gated=gated), record, *techniques()]
        learner = trained(*callbacks, spoil=spoil, epochs=2)
        assert callbacks[0].count == 2
        found.append((learner, record, str(random_state())))
    (plain, his, draws), (late, its, same_draws) = found
    assert_same(plain.model.state_dict(), late.model.state_dict())
    for one, other in zip(plain.opt.opt.state.values(), late.opt.opt.state.values(), strict=True):
        assert_same(one, other)
    assert draws == same_draws
    assert [row["train/loss_epoch"] for row in his.history] == [
        row["train/loss_epoch"] for row in its.history
    ]


@pytest.mark.parametrize("spoil", range(BATCHES))
def test_a_late_stop_is_where_one_at_once_is(spoil, tmp_path):
    rewound = []
    for gated in (False, True):
        record = Record(RecordingLogger(), 10)
        learner = trained(guard(tmp_path, "stop", gated), record, spoil=spoil)
        assert learner.interrupted.startswith("anomaly: the loss is NaN")
        rows = [step for _, step, _ in record.buffer.rows()]
        rewound.append((learner.train_iter, learner.pct_train, rows, len(record.sizes)))
        assert all(buffer.isfinite().all() for buffer in learner.model.buffers())
    assert rewound[0] == rewound[1] == (spoil, spoil / BATCHES, rewound[0][2], spoil)


def test_whoever_keeps_the_state_asks_before(tmp_path):
    class Keep(Callback):
        order, run_valid = 95, False

        def after_batch(self) -> None:
            self.learn.settle()
            assert all(buffer.isfinite().all() for buffer in self.learn.model.buffers())

    guarded = guard(tmp_path)
    trained(Keep(), guarded, spoil=1)
    assert guarded.count == 1


def test_raise_raises_late(tmp_path):
    with pytest.raises(Anomaly, match=r"step 2: the loss is NaN"):
        trained(guard(tmp_path, "raise"), spoil=1)
