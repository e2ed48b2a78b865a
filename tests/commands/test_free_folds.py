"""Two processes that train all folds into one runs folder never train the same fold."""

import json
import os
import signal

import pytest

from common.commands import train as command
from common.commands.free_folds import free_folds
from common.errors import KitError
from common.run_lock import lock_run, unlock_run
from common.runs import Run

FOLDS = 3


@pytest.fixture
def folders(tmp_path):
    return [tmp_path / "birds" / "baseline" / f"fold{number}" for number in range(FOLDS)]


@pytest.fixture
def other():
    """Return a function that makes another process take a folder; it ends with the test."""
    children = []

    def take(folder) -> int:
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            lock_run(folder)
            write(folder, "running")
            os.write(tell, b"x")
            signal.pause()
        os.read(ready, 1)
        children.append(child)
        return child

    yield take
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def write(folder, status: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "summary.json").write_text(json.dumps({"status": status}))


def train(folders, resume: bool = False) -> list[str]:
    """Go through the folds as the command does, and return those that were ours."""
    done = []
    for run in free_folds(folders, resume):
        if run.status != "finished":
            write(run.folder, "finished")
            done.append(run.folder.name)
        unlock_run(run.folder)
    return done


@pytest.mark.parametrize("resume", [False, True])
def test_a_fold_of_another_process_is_left_to_it(folders, other, capsys, resume):
    child = other(folders[1])
    assert train(folders, resume) == ["fold0", "fold2"]
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert f"process {child} of" in said[0]
    assert "going on with the next fold" in said[0]
    assert Run(folders[1]).status == "running"


def test_what_another_process_ends_meanwhile_is_passed_over(folders, capsys):
    ours = free_folds(folders, resume=False)
    assert next(ours).folder == folders[0]
    write(folders[1], "finished")
    write(folders[2], "interrupted")
    assert list(ours) == []
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("--resume goes on with it") for line in said] == [False, True]
    unlock_run(folders[0])
    assert train(folders, resume=True) == ["fold0", "fold2"]


def test_a_late_one_joins_and_old_runs_are_a_mistake(folders, other):
    write(folders[0], "finished")
    with pytest.raises(KitError, match=r"fold0' holds a run \(finished\).*--resume.*--name"):
        train(folders)
    other(folders[1])
    assert train(folders) == ["fold2"]


def test_a_lone_fold_of_another_process_is_an_error(folders, other):
    other(folders[0])
    with pytest.raises(KitError, match="expected to be alone"):
        train(folders[:1])


def test_the_command_trains_the_folds_that_are_free(project, other, tmp_path, monkeypatch):
    trained = []

    def train_one(competition, config, place, run, resume):
        trained.append(run.folder.name)
        return "finished"

    monkeypatch.setattr(command, "_train_one", train_one)
    root = tmp_path / "runs" / "colours" / "baseline"
    other(root / "fold0")
    code, text = project("train", "colours", "--fold", "all", "data.n_folds=3")
    for name in trained:
        unlock_run(root / name)
    assert (code, trained) == (0, ["fold1", "fold2"]), text
    assert "fold0: process" in text


def test_a_slip_in_the_ranking_is_told_before_a_folder_is_made(project, tmp_path):
    code, text = project("train", "colours", "log.rank_by=los")
    assert (code, "unknown log.rank_by 'los'; did you mean 'loss'" in text) == (2, True)
    assert not (tmp_path / "runs").exists()
