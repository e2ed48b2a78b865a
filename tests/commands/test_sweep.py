"""A search for the best config: what is tried, kept, gone on with and pruned."""

import json
import math
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from common.commands import sweep as command
from common.commands.sweep_space import Choices, Range, parse_space, words_of
from common.commands.train import _resume_arguments
from common.config import Config, parse_overrides
from common.errors import KitError
from common.runs import Run

from .conftest import FAST

optuna = pytest.importorskip("optuna")

BASE = Config(competition="c", classes=("a", "b"), metric="accuracy")


def test_words_say_what_is_swept_over():
    words = [
        "train.lr=1e-4..1e-2",
        "train.batch_size=4..64",
        "train.mixup=0..0.5",
        "train.epochs=3",
    ]
    words += ["model.name=resnet18,resnet34", "train.deterministic=true,false"]
    space, fixed = parse_space([*words, 'log.loggers=["local","wandb"]'], BASE)
    assert fixed == ["train.epochs=3", 'log.loggers=["local","wandb"]']
    assert space["model.name"] == Choices(("resnet18", "resnet34"))
    assert space["train.deterministic"] == Choices((True, False))
    assert space["train.lr"] == Range(1e-4, 1e-2)
    kinds = {key: (one.whole, one.log) for key, one in space.items() if isinstance(one, Range)}
    assert kinds["train.lr"] == (False, True)  # a wide range by its logarithm
    assert kinds["train.batch_size"] == (True, False)
    assert kinds["train.mixup"] == (False, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train.lrr=1e-4..1e-2"], "did you mean 'train.lr'"),
        (["train.lr=1e-2..1e-4"], "lower end first"),
        (["train.lr=a..b"], "expected a range"),
        (["train.schedule=cosine,sine"], "train.schedule"),
        (["train.epochs=3"], "expected something to sweep over"),
        (["train.mixup=-1..1"], "train.mixup"),
    ],
)
def test_a_wrong_space_is_refused_before_anything_is_trained(words, said):
    with pytest.raises(KitError, match=said):
        parse_space(words, BASE)


def test_a_trials_values_come_back_from_its_words():
    params = {"train.lr": 0.00123, "train.deterministic": True, "data.img_size": None}
    params |= {"model.name": "resnet18", "train.epochs": 4}
    assert parse_overrides(list(words_of(params))) == params


def test_trials_are_runs_and_a_study_goes_on_where_it_was(project, tmp_path):
    words = ("train.lr=1e-4..1e-2", "data.augment=none,flip", *FAST, "data.n_folds=3")
    code, text = project("sweep", "colours", *words, "--trials", 2)
    assert code == 0, text
    code, text = project("sweep", "colours", *words, "--trials", 3)
    assert code == 0, text
    assert "trial 0" not in text
    rows = {row["experiment"]: row for row in json.loads(project("runs", "--json")[1])}
    assert sorted(rows) == [f"sweep-baseline-00{number}" for number in range(3)]
    assert len({row["config"]["train"]["lr"] for row in rows.values()}) == 3
    best = max(rows.values(), key=lambda row: row["metrics"]["valid/accuracy"])
    score = best["metrics"]["valid/accuracy"]
    table = text[text.index("run  ") :].splitlines()
    assert table[0].split() == ["run", "state", "accuracy", "folds", "train.lr", "data.augment"]
    winner = rows[table[1].split()[0]]
    assert winner["metrics"]["valid/accuracy"] == score
    overrides = parse_overrides(table[-1].split(" --experiment baseline ")[1].split())
    kept = Config.model_validate(winner["config"])
    assert kept.model_copy(update=overrides) == kept  # the last line trains the best one
    code, text = project("sweep", "colours", "train.lr=1e-4..1e-1", *FAST)
    assert (code, "begin another one by --name" in text) == (2, True)


@pytest.fixture
def scores(monkeypatch, tmp_path):
    """Stand in for training: a fold's score is a function of lr, as the table says."""
    asked = []

    def train(name, overrides, experiment, fold, resume, stored_as, data, runs):
        values = parse_overrides(overrides)
        asked.append((stored_as, int(fold)))
        found = train.score(values, int(fold))
        run = Run(tmp_path / "runs" / name / stored_as / f"fold{fold}")
        run.folder.mkdir(parents=True, exist_ok=True)
        config = Config(competition=name, classes=("x", "y"), metric="accuracy")
        run.config_file.write_text(config.model_copy(update=values).model_dump_json())
        if isinstance(found, str):
            return run.write_summary(status="interrupted", interrupted_by=found)
        return run.write_summary(status="finished", metrics={"valid/accuracy": found})

    train.asked = asked
    monkeypatch.setattr(command, "train_folds", train)
    return train


SPACE = ("train.lr=0.001..0.002", "data.n_folds=3", "--fold", "all")


def test_a_trial_that_falls_behind_ends_after_a_fold(project, scores):
    scores.score = lambda values, fold: 0.9 if len(scores.asked) <= 12 else 0.1
    code, text = project("sweep", "colours", *SPACE, "--trials", 6)
    assert code == 0, text
    assert len(scores.asked) == 4 * 3 + 2  # four to the end, two after their first fold
    assert text.count("pruned after 1 folds") == 2
    states = [line.split()[1] for line in text.splitlines()[-7:-1]]
    assert states == 4 * ["complete"] + 2 * ["pruned"]


def test_what_was_interrupted_goes_on_in_its_own_folders(project, scores):
    scores.score = lambda values, fold: "SIGTERM" if len(scores.asked) == 5 else 0.5
    code, text = project("sweep", "colours", *SPACE, "--trials", 3)
    assert code == 0
    assert "goes on with the same command" in text
    assert scores.asked[-1] == ("sweep-baseline-001", 1)
    lr = _lr("sweep-baseline-001")
    code, text = project("sweep", "colours", *SPACE, "--trials", 3)
    assert code == 0, text
    assert scores.asked[5] == ("sweep-baseline-001", 0)
    assert _lr("sweep-baseline-001") == lr
    names = sorted({line.split()[0] for line in text.splitlines() if " complete " in line})
    assert len(names) == 3
    assert "sweep-baseline-001" in names


def _lr(name: str) -> float:
    config = Path("runs") / "colours" / name / "fold0" / "config.json"
    return json.loads(config.read_text())["train"]["lr"]


def test_a_wrong_fold_leaves_no_study_that_would_remember_it(project, tmp_path):
    code, text = project("sweep", "colours", "train.lr=0.001..0.002", "--fold", "9")
    assert (code, "expected --fold of 0 to 4" in text) == (2, True)
    assert not list((tmp_path / "runs").rglob("sweeps.db"))


def test_a_broken_trial_is_one_of_many_and_the_first_is_a_mistake(project, scores):
    def score(values, fold):
        if len(scores.asked) == 2:
            raise KitError("expected memory, got none; take less")
        return "anomaly in step 3" if len(scores.asked) == 3 else 0.5

    scores.score = score
    words = ("train.lr=0.001..0.002", "--trials", 4)
    code, text = project("sweep", "colours", *words)
    assert code == 0, text
    states = [line.split()[1] for line in text.splitlines() if line.startswith("sweep-baseline-")]
    assert states == ["complete", "complete", "fail", "fail"]

    def broken(values, fold):
        raise KitError("expected data, got none; fetch it")

    scores.score = broken
    code, text = project("sweep", "colours", *words, "--name", "other")
    assert (code, "expected data, got none" in text) == (2, True)


def test_workers_draw_other_values_and_a_study_the_same_ones_again(project, scores, tmp_path):
    scores.score = lambda values, fold: values["train.lr"]
    drawn = []
    for number, workers in enumerate(((3,), (1, 2, 3))):
        url = f"sqlite:///{tmp_path / 'elsewhere' / f'{number}.db'}"
        for trials in workers:
            words = ("train.lr=0.001..0.002", "--trials", trials, "--storage", url)
            assert project("sweep", "colours", *words)[0] == 0
        study = optuna.load_study(study_name="sweep-baseline", storage=url)
        drawn.append([trial.params["train.lr"] for trial in study.trials])
        assert math.isclose(study.best_value, max(drawn[-1]))
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("postgresql://me:s3cret/w@rd@localhost:1/db", "pip install"),
        ("postgresql+psycopg2://me:s3cret@localhost:1/db", "pip install psycopg2-binary"),
        ("mysql://me:s3cret@localhost:1/db", "pip install mysqlclient"),
        ("nosuch://me:s3cret@localhost/db", "nosuch"),
        ("me:s3cret@localhost/db", "--storage or KIT_STORAGE"),
    ],
)
def test_a_database_that_cannot_be_had_is_one_line_without_its_password(
    project, monkeypatch, storage, said
):
    for module in ("psycopg", "psycopg2", "MySQLdb"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setenv("KIT_STORAGE", storage)
    code, text = project("sweep", "colours", "train.lr=0.001..0.002")
    assert code == 2
    assert said in text
    assert text.count("\n") == 1
    assert "s3cret" not in text


@pytest.mark.parametrize("word", ["s3cret", "s3/cr:et", "x@s3cret", "x@y@s3cret", "x%40s3cret"])
def test_what_a_driver_repeats_of_a_password_is_hidden(word):
    from common.commands.sweep_study import _no_database

    host = f"{word}@localhost".partition("@")[2]  # as SQLAlchemy cuts a password with an @ in it
    error = ValueError(f'could not translate host name "{host}", user "me", word {word}')
    text = _no_database(f"postgresql://me:{word}@localhost/db", error)
    assert "s3" not in text
    assert "localhost" in text


def test_the_command_to_go_on_with_hides_a_password(monkeypatch):
    words = ["kit", "sweep", "c", "--storage", "postgresql://me:s3cret@host/db"]
    monkeypatch.setattr(sys, "argv", words)
    assert _resume_arguments()[-1] == "postgresql://***@host/db"


def test_a_database_that_is_lost_is_one_line(project, scores):
    def score(values, fold):
        with sqlite3.connect(Path("runs") / "colours" / "sweeps.db") as database:
            database.execute("DROP TABLE trial_values")
        return 0.5

    scores.score = score
    code, text = project("sweep", "colours", "train.lr=0.001..0.002", "--trials", 2)
    assert code == 2
    assert "no such table: trial_values; the same command goes on" in text


def test_a_heartbeat_that_finds_no_database_is_one_line(capsys, monkeypatch):
    from sqlalchemy.exc import OperationalError

    from common.commands.sweep_heartbeat import heartbeat_in_a_line

    def beat(error):
        raise error

    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # not pytest's
    with heartbeat_in_a_line():
        for error in (OperationalError("SELECT", {}, ValueError("gone")), ValueError("a bug")):
            thread = threading.Thread(target=beat, args=(error,))
            thread.start()
            thread.join()
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("warning: the sweep's database does not answer")
    assert any("Traceback" in line for line in others)
    assert others[-1] == "ValueError: a bug"
