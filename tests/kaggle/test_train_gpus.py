"""A kernel that trains: alone, or in as many processes as it may and can."""

import runpy
import sys
from pathlib import Path

import pytest

import common.commands.train as commands
import common.kaggle.processes as processes
import common.kaggle.train_gpus as train_gpus

WORDS = {
    "name": "colours",
    "overrides": ["train.epochs=2"],
    "experiment": "baseline",
    "fold": "0",
    "resume": True,
    "stored_as": "",
    "given_data": "data",
    "given_runs": "runs",
}


@pytest.mark.parametrize(("most", "there", "count"), [(1, 2, 1), (2, 1, 1), (2, 2, 2), (2, 4, 2)])
def test_each_process_trains_what_one_would(monkeypatch, most, there, count):
    trained, started = [], []

    def start(count, arguments):
        started.append(count)
        assert arguments[:2] == ["-m", "common.kaggle.train_gpus"]
        monkeypatch.setattr(sys, "argv", arguments[1:])
        runpy.run_path(train_gpus.__file__, run_name="__main__")

    monkeypatch.setenv("KIT_GPUS", str(there))
    monkeypatch.setenv("PYTHONPATH", "")  # put back afterwards
    monkeypatch.setattr(processes, "run_in_processes", start)
    for place in (commands, train_gpus):
        monkeypatch.setattr(place, "train_folds", lambda **words: trained.append(words))
    train_gpus.train_on_gpus(most, WORDS)
    assert started == ([count] if count > 1 else [])
    assert trained == [{**WORDS, "given_data": Path("data"), "given_runs": Path("runs")}]
