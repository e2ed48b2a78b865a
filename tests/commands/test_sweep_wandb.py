"""A sweep whose values W&B draws: the service is a stand-in, the trials' runs are wandb's own."""

import itertools
import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
import wandb
import yaml

from common.commands import sweep_wandb as command
from common.commands.run_kit import run_kit
from common.commands.sweep_settings import sweep_settings
from common.commands.sweep_space import parse_space
from common.config import Config
from common.metrics.base import Metric
from common.run_lock import unlock_run
from common.runs import Run

from ..loggers.conftest import WandbRun

SPACE = ("train.lr=0.001..0.1", "data.augment=none,flip", "train.batch_size=4..8")


class Service:
    """What wandb.sweep and wandb.agent do at their outer end: keep sweeps, hand out values."""

    def __init__(self, draws: list[dict]) -> None:
        self.draws, self.sweeps, self.asked = draws, {}, []

    def sweep(self, settings: dict, project: str) -> str:
        self.sweeps[f"{project}/abc123"] = json.loads(json.dumps(settings))  # it travels as json
        return "abc123"

    def agent(self, sweep_id: str, function, project: str, count: int) -> None:
        if f"{project}/{sweep_id}" not in self.sweeps:
            raise ValueError(f"could not find sweep {sweep_id}\nmore")
        self.asked.append(count)
        parameters = self.sweeps[f"{project}/{sweep_id}"]["parameters"]
        shared = {key: told["value"] for key, told in parameters.items() if "value" in told}
        for number, draw in enumerate(self.draws):
            try:
                self._try(function, f"run{number}", sweep_id, {**shared, **draw})
            except KeyboardInterrupt:  # as wandb's agent ends
                return

    def _try(self, function, run_id: str, sweep_id: str, drawn: dict) -> None:
        values = {key: {"value": value} for key, value in drawn.items()}
        file = Path(os.environ["WANDB_DIR"]) / f"{run_id}.yaml"
        file.write_text(yaml.safe_dump({"wandb_version": 1, **values}))
        given = {"RUN_ID": run_id, "SWEEP_ID": sweep_id, "SWEEP_PARAM_PATH": str(file)}
        os.environ.update({f"WANDB_{key}": value for key, value in given.items()})
        os.environ["WANDB_MODE"] = "offline"  # the run itself is real, and stays here
        wandb.teardown()  # as wandb's agent does, so that the environment is read anew
        thread = threading.Thread(target=function)
        try:
            thread.start()
            thread.join()
        finally:
            thread.join()
            for key in (*given, "MODE"):
                del os.environ[f"WANDB_{key}"]


@pytest.fixture
def login(monkeypatch, tmp_path):
    """A key, and a host that answers."""
    wandb.teardown()  # or the address of its process, soon gone, comes back with the environment
    for key in [key for key in os.environ if key.startswith(("WANDB_", "KAGGLE_"))]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield
    wandb.teardown()  # it remembers the last trial


@pytest.fixture
def service(monkeypatch, login):
    """Return a function that makes the service hand out these draws."""

    def serve(*draws: dict) -> Service:
        made = Service(list(draws))
        monkeypatch.setattr(wandb, "sweep", made.sweep)
        monkeypatch.setattr(wandb, "agent", made.agent)
        return made

    return serve


@pytest.fixture
def folds(monkeypatch):
    """Stand in for the processes that train: what they are asked, and a score by lr."""
    asked = []

    def train(words, environment):
        assert not [key for key in environment if key.startswith("WANDB_SWEEP")]
        asked.append(list(words))
        given = dict(itertools.pairwise(words))
        place = Path("runs") / words[1] / given["--name"] / f"fold{given['--fold']}"
        lr = next(float(word.partition("=")[2]) for word in words if word.startswith("train.lr="))
        if lr > 1:
            return 2
        run = Run.create(
            place, Config(competition="c", classes=("a", "b"), metric="accuracy"), True
        )
        run.write_summary(status="finished", metrics={"valid/accuracy": 0.5 + lr})
        unlock_run(place)
        return 0

    monkeypatch.setattr(command, "run_kit", train)
    return asked


def test_the_space_is_told_as_wandb_reads_it():
    config = Config(competition="c", classes=("a", "b"), metric="accuracy")
    space, _ = parse_space([*SPACE, "train.mixup=0..0.5"], config)
    loss = Metric("log_loss", lambda *_: 0.0, maximise=False)
    told = sweep_settings(space, {"train.epochs": 3}, loss, 5, 20, "random")
    assert told["metric"] == {"name": "valid/log_loss", "goal": "minimize"}
    assert told["early_terminate"] == {"type": "hyperband", "min_iter": 1, "eta": 3}
    assert (told["run_cap"], told["method"]) == (20, "random")
    assert told["parameters"] == {
        "train.epochs": {"value": 3},
        "train.lr": {"distribution": "log_uniform_values", "min": 0.001, "max": 0.1},
        "data.augment": {"values": ["none", "flip"]},
        "train.batch_size": {"distribution": "int_uniform", "min": 4, "max": 8},
        "train.mixup": {"distribution": "uniform", "min": 0, "max": 0.5},
    }
    assert "early_terminate" not in sweep_settings(space, {}, loss, 1, 20, "random")


def test_a_trial_is_a_run_of_wandb_and_its_folds_are_runs_of_ours(
    project, service, folds, tmp_path
):
    made = service()
    words = ("train.lr=0.001..0.1", "data.augment=none,flip", "train.epochs=1", "data.n_folds=3")
    code, text = project("sweep", "colours", *words, "--fold", "all", "--wandb", "--trials", 7)
    assert code == 0, text
    assert (made.sweeps["colours/abc123"]["run_cap"], made.asked) == (7, [7])
    assert "kit sweep colours --wandb-sweep abc123" in text
    made.draws = [{"train.lr": 0.01, "data.augment": "flip"}, {"train.lr": 0.02}]
    code, text = project("sweep", "colours", "--wandb-sweep", "abc123")  # the id is enough
    assert code == 0, text
    best = "best here, sweep-abc123-run1 with 0.5200: kit train colours --experiment baseline"
    assert best in text
    assert [(w[w.index("--name") + 1], w[w.index("--fold") + 1]) for w in folds] == [
        (f"sweep-abc123-run{trial}", str(fold)) for trial in (0, 1) for fold in range(3)
    ]
    assert {"train.lr=0.01", "data.augment=flip", "train.epochs=1"} <= set(folds[0])
    logs = sorted((tmp_path / "runs" / "colours" / "sweeps" / "wandb").glob("offline-run-*-run?"))
    found = [WandbRun(log) for log in logs]
    assert [run.config["train.lr"] for run in found] == [0.01, 0.02]
    scores = [row["valid/accuracy"] for row in found[0].history]
    assert scores == pytest.approx(3 * [0.51])
    assert [row["folds"] for row in found[0].history] == [1, 2, 3]
    assert "WANDB_DIR" not in os.environ
    code, text = project("sweep", "colours", "--wandb-sweep", "nosuch")
    assert (code, "could not find sweep nosuch; copy its id" in text) == (2, True)


def test_a_trial_that_cannot_be_trained_is_one_of_many_and_the_first_is_a_mistake(
    project, service, folds
):
    service({"train.lr": 0.01}, {"train.lr": 2.0})
    code, text = project("sweep", "colours", "train.lr=0.001..3", "--wandb")
    assert code == 0, text
    assert text.count("trial failed: expected") == 1
    assert "sweep-abc123-run0 with 0.5100" in text
    service({"train.lr": 2.0}, {"train.lr": 0.01})
    folds.clear()
    code, text = project("sweep", "colours", "train.lr=0.001..3", "--wandb")
    assert code == 2
    assert len(folds) == 1


@pytest.mark.parametrize("lacking", ["no login", "WANDB_MODE=offline"])
def test_without_an_account_a_line_names_the_other_engine(project, login, monkeypatch, lacking):
    if lacking == "no login":
        monkeypatch.delenv("WANDB_API_KEY")
    else:
        monkeypatch.setenv("WANDB_MODE", "offline")
    code, text = project("sweep", "colours", "train.lr=1e-4..1e-2", "--wandb")
    assert code == 2
    assert text.count("\n") == 1
    assert f"got {lacking}" in text
    assert "by Optuna: kit sweep colours train.lr=1e-4..1e-2 --experiment baseline --fold 0" in text


def test_a_wrong_space_or_method_costs_no_sweep(project, service):
    made = service()
    for words, said in (
        (("train.lrr=1..2",), "did you mean 'train.lr'"),
        (("train.lr=0.1..0.2", "--method", "tpe"), "--method of bayes, random, grid"),
        (("train.lr=0.1..0.2", "--wandb-sweep", "x"), "no values beside --wandb-sweep"),
    ):
        code, text = project("sweep", "colours", "--wandb", *words)
        assert (code, said in text) == (2, True), text
    assert made.sweeps == {}


def test_a_command_runs_in_a_process_of_its_own(monkeypatch):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert run_kit(["no-such-command"], environment) == 2
