"""Every competition goes from its demo data to a valid submission, by the commands of its README."""

import shutil
import sys

import pandas as pd
import pytest

from common.cli import main
from common.competition import competitions_dir, list_competitions

OFF = ("log.loggers=local", "data.num_workers=0", "train.epochs=1", "train.batch_size=8")
SHIPPED = [name for name in list_competitions() if (competitions_dir() / name / "demo.py").exists()]


@pytest.fixture
def kit(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command line and gives what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIT_RUNS", str(tmp_path / "runs"))

    def run(*words: object) -> str:
        monkeypatch.setattr(sys, "argv", ["kit", *map(str, words)])
        try:
            main()
        except SystemExit as leave:
            assert not leave.code, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", SHIPPED)
def test_demo_data_to_a_valid_submission(name, kit, tmp_path):
    kit("demo", name)
    assert "train:" in kit("check", name)
    printed = kit("train", name, "--experiment", "demo", *OFF)
    assert "finished: " in printed
    run = tmp_path / "runs" / name / "demo" / "fold0"
    assert {"config.json", "environment.json", "metrics.jsonl", "oof.parquet", "report.html"} <= {
        path.name for path in run.iterdir()
    }
    assert list((run / "figures").iterdir())
    assert len(pd.read_parquet(run / "oof.parquet")) > 0
    assert "1 of" in kit("oof", name, "--experiment", "demo")
    assert "(valid)" in kit("predict", name, "--run", f"{name}/demo/fold0")
    written = next(tmp_path.glob("submission.*"))
    assert "valid" in kit("check", name, "--submission", written)
    shutil.rmtree(tmp_path / "runs")
