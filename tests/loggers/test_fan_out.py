import math

import numpy as np
import pytest
import torch

from common.errors import KitError
from common.loggers.fan_out import FanOut
from common.loggers.recording import RecordingLogger

AT = {"global_step": 1, "epoch": 1.0}


class BrokenLogger(RecordingLogger):
    """Fails from its second call of scalars on."""

    def scalars(self, values, *, global_step, epoch):
        super().scalars(values, global_step=global_step, epoch=epoch)
        if len(self.of("scalars")) > 1:
            raise OSError("No space left on device")


class SparseLogger(RecordingLogger):
    every_step = False


def test_a_broken_logger_is_dropped_once_and_loudly_and_the_others_go_on(capsys):
    broken, before, after = BrokenLogger({"run_id": "abc"}), RecordingLogger(), SparseLogger()
    fan = FanOut([before, broken, after])
    fan.state()
    for step in range(5):
        fan.scalars({"train/loss": step}, global_step=step, epoch=1)
    fan.finish("finished")
    assert before.values("train/loss") == after.values("train/loss")
    assert len(before.values("train/loss")) == 5
    assert len(broken.calls) == 2
    said = capsys.readouterr().err
    assert said.count("No space left on device") == 1
    assert "'broken'" in said
    assert "scalars" in said
    assert "OSError" in said
    assert list(fan.dropped) == ["broken"]
    assert fan.state()["broken"] == {"run_id": "abc"}


def test_strict_lets_the_error_through():
    fan = FanOut([BrokenLogger()], strict=True)
    fan.scalars({"a": 1}, **AT)
    with pytest.raises(OSError, match="No space left"):
        fan.scalars({"a": 1}, **AT)


def test_numbers_of_any_kind_arrive_as_floats():
    logger = RecordingLogger()
    given = {
        "a": torch.tensor(0.5, requires_grad=True),
        "b": np.float32(0.25),
        "c": np.int64(3),
        "d": True,
        "e": torch.tensor(math.inf),
        "f": np.array(2.0),
    }
    FanOut([logger], strict=True).scalars(given, global_step=np.int64(4), epoch=torch.tensor(1))
    (call,) = logger.of("scalars")
    assert call["values"] == {"a": 0.5, "b": 0.25, "c": 3.0, "d": 1.0, "e": math.inf, "f": 2.0}
    assert {type(value) for value in call["values"].values()} == {float}
    assert (type(call["global_step"]), type(call["epoch"])) == (int, float)


def test_nan_stays_nan():
    logger = RecordingLogger()
    FanOut([logger]).scalars({"a": torch.tensor(math.nan)}, **AT)
    assert math.isnan(logger.values("a")[0][1])


@pytest.mark.parametrize("bad", [torch.zeros(2), "high", None, [1, 2]])
def test_what_is_no_number_is_named_once_and_left_out(capsys, bad):
    logger = RecordingLogger()
    fan = FanOut([logger])
    for _ in range(3):
        fan.scalars({"good": 1, "bad": bad}, **AT)
    assert [call["values"] for call in logger.of("scalars")] == [{"good": 1.0}] * 3
    assert capsys.readouterr().err.count("expected a number for 'bad'") == 1
    with pytest.raises(KitError, match="expected a number for 'bad'"):
        FanOut([logger], strict=True).scalars({"bad": bad}, **AT)


def test_a_wrong_image_or_histogram_costs_no_logger(capsys):
    logger = RecordingLogger()
    fan = FanOut([logger])
    fan.image("float", np.zeros((4, 4, 3)), **AT)
    fan.figure("drawn", np.zeros((4, 4, 3)), **AT)
    fan.histogram("bins", np.zeros(4), np.zeros(4), **AT)
    assert logger.calls == []
    assert not fan.dropped
    said = capsys.readouterr().err
    assert "expected image 'float' as (H, W, 3) uint8" in said
    assert "expected figure 'drawn' as (H, W, 3) uint8" in said
    assert "edges" in said


def test_every_verb_reaches_every_logger(tmp_path, picture, chart):
    loggers = [RecordingLogger(), SparseLogger()]
    fan = FanOut(loggers, strict=True)
    fan.scalars({"a": 1}, **AT)
    fan.image("i", picture, caption="c", **AT)
    fan.figure("f", chart, **AT)
    fan.histogram("h", [1, 2], [0, 1, 2], **AT)
    fan.table("t", [{"x": 1}], **AT)
    fan.table("empty", [], **AT)
    fan.curve("c", np.arange(2), np.arange(2), axes=("x", "y"), **AT)
    fan.hyperparameters({"lr": 1}, {"f1": np.float32(0.5)})
    fan.artifact("w", tmp_path, "model")
    fan.finish("failed")
    assert [call.verb for call in loggers[0].calls] == [
        *("scalars", "image", "figure", "histogram", "table", "curve"),
        *("hyperparameters", "artifact", "finish"),
    ]
    assert [call.verb for call in loggers[1].calls] == [call.verb for call in loggers[0].calls]
    for logger in loggers:
        assert logger.of("hyperparameters")[0]["metrics"] == {"f1": 0.5}
        assert logger.of("finish") == [{"status": "failed"}]


def test_loggers_of_one_kind_keep_their_own_state():
    fan = FanOut([RecordingLogger({"x": 1}), RecordingLogger({"x": 2})])
    assert sorted(state["x"] for state in fan.state().values()) == [1, 2]


def test_a_fan_of_nothing_takes_everything(picture):
    fan = FanOut([])
    fan.scalars({"a": 1}, **AT)
    fan.window([({"a": 1}, 1, 1.0)])
    fan.image("i", picture, **AT)
    fan.finish()
    assert fan.state() == {}
