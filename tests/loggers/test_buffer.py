import pytest
import torch

from common.loggers.buffer import ScalarBuffer
from common.loggers.fan_out import FanOut
from common.loggers.recording import RecordingLogger


class SparseLogger(RecordingLogger):
    every_step = False


@pytest.mark.parametrize("every", [1, 3, 4, 10, 100])
def test_no_step_is_lost_doubled_or_moved(every):
    logger = RecordingLogger()
    buffer = ScalarBuffer(logger, every)
    for step in range(10):
        buffer.add({"loss": torch.tensor(step / 4), "lr": step * 0.1}, step, step / 5)
    buffer.flush()
    buffer.flush()
    assert logger.values("loss") == [(step, step / 4) for step in range(10)]
    assert logger.values("lr") == [(step, step * 0.1) for step in range(10)]
    assert [call["epoch"] for call in logger.of("scalars")] == [step / 5 for step in range(10)]


def test_dear_loggers_get_the_mean_at_the_last_step_of_a_window():
    cheap, dear = RecordingLogger(), SparseLogger()
    buffer = ScalarBuffer(FanOut([cheap, dear], strict=True), 4)
    for step in range(1, 9):
        values = {"loss": torch.tensor(float(step), dtype=torch.bfloat16)}
        buffer.add(values | ({"norm": 6.0} if step == 2 else {}), step, step / 8)
    assert dear.values("loss") == [(4, 2.5), (8, 6.5)]
    assert dear.values("norm") == [(4, 6.0)]
    assert len(cheap.values("loss")) == 8


def test_nothing_is_logged_before_the_window_is_full():
    logger = RecordingLogger()
    buffer = ScalarBuffer(logger, 3)
    buffer.add({"loss": 1.0}, 1, 1)
    buffer.add({"loss": 1.0}, 2, 1)
    assert not logger.calls
    buffer.add({"loss": 1.0}, 3, 1)
    assert len(logger.calls) == 3


def test_a_kept_loss_does_not_keep_its_graph():
    weight = torch.ones(3, requires_grad=True)
    buffer = ScalarBuffer(RecordingLogger(), 10)
    values = {"loss": (weight * 2).sum()}
    buffer.add(values, 1, 1)
    assert values["loss"].requires_grad
    assert not any(v.requires_grad for row, _, _ in buffer._rows for v in row.values())
