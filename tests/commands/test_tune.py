"""kit tune: what is faster here is kept and said, what does not run here is a result."""

import json

import pytest
import torch

from common.commands import tune
from common.commands.tune_choices import Choice, halves, of_batch
from common.config import parse_overrides
from common.learners import trial
from common.learners.trial import Speed
from common.models import compiled

from .conftest import FAST

SMALL = [word for word in FAST if "epochs" not in word]


@pytest.fixture
def quick(monkeypatch):
    """Short turns, and no compiler."""

    def backend(graph, inputs):
        raise RuntimeError("no g++ here")

    monkeypatch.setattr(compiled, "BACKEND", backend)
    monkeypatch.setattr(trial, "BLOCK", 0.0)
    monkeypatch.setattr(trial, "MOST_ROUNDS", 3)
    monkeypatch.setattr(tune, "READING", 0.05)


def test_all_is_tried_for_real_and_the_file_is_one_of_overrides(project, tmp_path, quick) -> None:
    with pytest.warns(UserWarning, match="compiler"):
        code, text = project("tune", "colours", *SMALL, "--minutes", "9")
    assert code == 0, text
    content = json.loads((tmp_path / "runs" / "colours" / "tune.json").read_text())
    tried = {row["tried"]: row for row in content["tried"]}
    assert {"as it is", "model.channels_last=true", "train.amp=bf16", "data.num_workers=0"} <= set(
        tried
    )
    assert not any("batch_size" in name for name in tried)
    assert "does not run here" in tried["model.compile=true"]["verdict"]
    measured = [row for name, row in tried.items() if "compile" not in name]
    assert all(row["images"] > 0 and row["ratio"] > 0 for row in measured)
    assert not (tmp_path / "runs" / "colours" / "folds.csv").exists()
    assert not list(tmp_path.glob("runs/colours/*/fold*/checkpoints"))
    word = f"@{tmp_path / 'runs' / 'colours' / 'tune.json'}"
    assert parse_overrides([word]) == content["overrides"]


def test_what_is_faster_is_kept_and_what_it_changes_is_said(
    project, tmp_path, quick, monkeypatch
) -> None:
    real = trial.Trial.step

    def step(self, batch=None):
        images = real(self, batch)
        if images > 12:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return images

    def compare(one, other, seconds):
        one.step()
        faster = one.model.channels_last and not other.model.channels_last
        return Speed(100.0, 1.5 if faster else 1.0, 0.5)

    monkeypatch.setattr(trial.Trial, "step", step)
    monkeypatch.setattr(tune, "compare", compare)
    monkeypatch.setattr(trial.Trial, "read", lambda self, workers, seconds: 10.0 + workers)
    monkeypatch.setattr(tune, "of_batch", lambda *_: [Choice("train.batch_size", 16)])
    with pytest.warns(UserWarning, match="compiler"):
        code, text = project("tune", "colours", *SMALL, "--batch-size", "--minutes", "9")
    assert code == 0, text
    content = json.loads((tmp_path / "runs" / "colours" / "tune.json").read_text())
    assert content["overrides"]["model.channels_last"] is True
    assert "train.amp" not in content["overrides"]
    assert "train.batch_size" not in content["overrides"]
    lines = {line.split()[0]: line for line in text.splitlines() if "  " in line.strip()}
    assert "KEPT; changes rounding" in lines["model.channels_last=true"]
    assert "out of memory" in lines["train.batch_size=16"]
    assert f"kit train colours --experiment baseline @{tmp_path}" in text


def test_no_time_is_said(project, quick) -> None:
    code, text = project("tune", "colours", *SMALL, "--minutes", "0")
    assert code == 0, text
    assert text.count("no time left") >= 3
    assert "nothing is faster" in text


def test_larger_batches_are_said_to_change_what_is_learnt(config, monkeypatch) -> None:
    sizes = [choice.value for choice in of_batch(config, 200)]
    assert sizes == [16, 32]
    assert "train.lr times 2" in Choice("train.batch_size", 32).changes(config)
    assert halves(torch.device("cpu")) == ["bf16"]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert halves(torch.device("cuda")) == ["fp16"]  # a T4
