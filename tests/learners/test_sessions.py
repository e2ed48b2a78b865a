"""Runs that are cut into sessions: by a clock, and by machines that come and go."""

import shutil

import pytest

import common.callbacks.checkpoint as checkpoint
from common import session
from common.callbacks.base import Callback
from common.checkpoints import load_checkpoint
from common.run_inputs import fetch_run
from common.runs import Run
from common.session import Session

LIMIT = 0.1  # hours, 360 seconds of the fake clock
STEP, VALIDATION_STEP, SAVE = 30.0, 12.0, 5.0  # seconds


class Time(Callback):
    """Lets a fake clock go on."""

    order = 1
    now = 0.0

    def before_batch(self):
        Time.now += STEP if self.learn.training else VALIDATION_STEP


@pytest.fixture
def clock(monkeypatch):
    real = checkpoint.save_checkpoint

    def save(*args, **kwargs):
        Time.now += SAVE
        real(*args, **kwargs)

    monkeypatch.setattr(checkpoint, "save_checkpoint", save)
    monkeypatch.setattr(Session, "now", staticmethod(lambda: Time.now))

    def begin():
        monkeypatch.setattr(session, "STARTED", Time.now)
        return Time.now

    return begin


@pytest.fixture
def long(config):
    changes = {"train.epochs": 4, "train.deterministic": True, "train.ema_decay": 0.9}
    return config.model_copy(update=changes)


def test_sessions_give_the_weights_of_one_long_run_and_keep_their_limit(train, long, clock):
    clock()
    whole = train(long, "whole", Time())
    assert whole.status == "finished"
    limited = long.model_copy(update={"train.time_limit": LIMIT})
    lasted, batches, status = [], [0], "interrupted"
    while status == "interrupted":
        began = clock()
        run = train(limited, "parts", Time(), resume=bool(lasted))
        status = run.status
        lasted.append(Time.now - began)
        batches.append(load_checkpoint(run.last)["training"]["train_iter"])
        status = run.status
        assert batches[-1] > batches[-2] or status == "finished"
    assert len(lasted) >= 3
    assert max(lasted) < 3600 * LIMIT
    assert run.status == "finished"
    assert min(lasted[:-1]) > 0.5 * 3600 * LIMIT  # and makes use of it
    assert run.summary["weights_sha256"] == whole.summary["weights_sha256"]
    assert run.summary["metrics"] == whole.summary["metrics"]


def test_a_session_keeps_time_for_the_statistics_of_batch_norms(train, long, clock):
    clock()
    update = {"train.ema_decay": 0, "train.time_limit": 0.125}
    positions = []
    for start in (0.0, 0.4):  # of 4 epochs: the mean begins with the second
        clock()
        swa = long.model_copy(update={**update, "train.swa_start": start})
        run = train(swa, f"start{start}", Time())
        state = load_checkpoint(run.last)["training"]
        positions.append((state["epoch"], state["batch"]))
    assert positions[0] > (1, 3)
    assert positions[1] == (1, 3)  # all steps are done; statistics and validation are to come
    clock()
    run = train(swa, "start0.4", Time(), resume=True)
    assert load_checkpoint(run.last)["training"]["epoch"] >= 2


def test_a_session_without_time_still_does_a_step(train, config, clock):
    clock()
    run = train(config.model_copy(update={"train.time_limit": 1e-6}), "short", Time())
    assert run.summary["interrupted_by"] == "time limit of 1e-06 h"
    assert load_checkpoint(run.last)["training"]["batch"] == 1


@pytest.fixture
def inputs(monkeypatch, tmp_path):
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path / "input"))
    return tmp_path / "input"


def test_the_next_session_goes_on_from_an_attached_input(train, long, clock, inputs, tmp_path):
    clock()
    whole = train(long, "whole", Time())
    clock()
    first = train(long.model_copy(update={"train.time_limit": LIMIT}), "run", Time())
    assert first.status == "interrupted"
    (first.folder.parents[1] / "folds.csv").write_text("image_id,fold\n")
    attached = inputs / "notebooks" / "someone" / "session" / "runs" / "colours"
    shutil.move(tmp_path / "colours", attached)
    for path in attached.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    run = Run(first.folder)
    assert fetch_run(run)
    assert not fetch_run(run)  # it is here now
    assert run.folds_file.exists()
    clock()
    run = train(long, "run", Time(), resume=True)
    assert run.status == "finished"
    assert run.summary["weights_sha256"] == _moved(whole, attached).summary["weights_sha256"]


def test_of_several_inputs_the_one_that_got_furthest_is_taken(train, config, monkeypatch, tmp_path):
    run = train(config, "run")
    for name, epoch in (("a", 1), ("b", 2), ("c", 0)):
        place = tmp_path / name / "colours" / "run" / "fold0"
        shutil.copytree(run.folder, place)
        Run(place).write_summary(status="interrupted")
        if epoch < 2:  # as after one epoch, or with nothing saved
            content = load_checkpoint(Run(place).last)
            content["training"]["train_iter"] = 3 * epoch
            checkpoint.save_checkpoint(Run(place).last, content)
    shutil.rmtree(tmp_path / "colours")
    monkeypatch.setenv("KIT_RUNS_FROM", f"{tmp_path / 'a'}:{tmp_path / 'b'}:{tmp_path / 'c'}")
    assert fetch_run(run)
    assert load_checkpoint(run.last)["training"]["train_iter"] == 6
    assert run.status == "interrupted"
    monkeypatch.setenv("KIT_RUNS_FROM", str(tmp_path / "nothing"))
    assert not fetch_run(Run(tmp_path / "colours" / "other" / "fold0"))


def _moved(run: Run, place) -> Run:
    return Run(place / run.experiment / run.folder.name)
