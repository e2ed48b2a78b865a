"""Commands that start themselves once for each GPU."""

import os
import sys

import pytest
from torch.distributed.run import parse_args
from typer.main import get_command

import common.launch as launch
from common.checkpoints import load_checkpoint
from common.cli import app
from common.notebook import train_on_gpus

from .conftest import FAST


@pytest.fixture
def started(monkeypatch):
    """What would be started."""
    found = []
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(launch, "run_in_processes", lambda *started: found.append(started))
    return found


@pytest.mark.parametrize("command", ["train", "predict"])
def test_gpus_start_the_same_command_in_as_many_processes(kit, started, command, monkeypatch):
    words = (command, "nowhere", "--runs", "r", "--gpus", "3")
    monkeypatch.setenv("KIT_BACKEND", "gloo")
    assert kit(*words)[0] == 0
    assert started == [(3, ["-m", "common", *words])]
    monkeypatch.setenv("LOCAL_RANK", "0")  # one of them already
    code, text = kit(*words)
    assert (code, len(started)) == (2, 1)
    assert "nowhere" in text


def test_more_gpus_than_there_are_is_one_line(kit, started, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("KIT_BACKEND", raising=False)
    code, text = kit("train", "nowhere", "--gpus", "4")
    assert code == 2
    assert "expected at most 2 for --gpus, for there are no more, got 4" in text
    assert not started
    assert kit("train", "nowhere", "--gpus", "0")[0] == 0  # all there are
    assert started[0][0] == 2


@pytest.mark.parametrize("command", ["train", "predict", "sweep"])
def test_torchrun_leaves_the_options_of_commands_alone(command):
    """Without the -- it takes --run for its own --run-path, and ends."""
    options = [name for one in get_command(app).commands[command].params for name in one.opts]
    words = [command, "birds", *(name for name in options if name.startswith("--"))]
    found = parse_args(["--nnodes", "2", "--nproc-per-node", "4", "-m", "--", "common", *words])
    assert found.module
    assert (found.training_script, found.training_script_args) == ("common", words)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_notebook_trains_in_two_processes(project, data, tmp_path, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    train_on_gpus("colours", *FAST, "data.n_folds=3", data=data, name="noted")
    run = tmp_path / "runs" / "colours" / "noted" / "fold0"
    training = load_checkpoint(run / "checkpoints" / "last.pt")["training"]
    assert training["epoch"] == 1
    assert len((run / "metrics.jsonl").read_text().splitlines()) >= 1
    assert "LOCAL_RANK" not in os.environ
