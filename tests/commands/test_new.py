"""What kit new writes for each task: it reads the data as it lies there, and passes the linter."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from common.commands.scaffold.files import TEMPLATES

from .things import TINY_OF, add_boxes, add_codes, add_labelled_boxes, add_masks

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("task", "add"),
    [
        ("segmentation", add_masks),
        ("segmentation", add_codes),
        ("detection", add_boxes),
        ("detection", add_labelled_boxes),
    ],
)
@pytest.mark.usefixtures("few_draws")
def test_a_new_competition_goes_to_a_valid_submission_untouched(task, add, kit, things, tmp_path):
    add(things)
    tiny = (*TINY_OF[task], "log.looks=none")  # which are on show elsewhere
    for words in (
        ("new", "things", "--task", task),
        ("check", "things", *tiny),  # the network of the baseline would take a minute
        ("train", "things", *tiny),
        ("oof", "things", *(["--parts"] if task == "segmentation" else [])),
        ("predict", "things"),
    ):
        code, text = kit(*words)
        assert code == 0, (words, text)
    assert (task == "segmentation") == ("masks: threshold" in text)
    assert set(pd.read_csv("submission.csv")["ImageId"]) == {"u", "v"}
    made = tmp_path / "competitions" / "things"
    for tool in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *tool, "--no-cache", "--config"]
        done = subprocess.run(
            [*command, ROOT / "pyproject.toml", made], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_without_data_the_usual_names_are_guessed(task, kit, tmp_path):
    code, text = kit("new", "things", "--task", task)
    assert code == 0
    assert "guesses" in text
    assert "train.csv" in text or (tmp_path / "competitions" / "things" / "data.py").exists()


@pytest.mark.parametrize(
    ("task", "ours"),
    [
        ("classification", "alaska2_classification"),
        ("segmentation", "inria_segmentation"),
        ("detection", "wheat_detection"),
    ],
)
def test_training_tells_the_same_story_as_the_competition(task, ours):
    made = (TEMPLATES / task / "train.py.template").read_text()
    written = (ROOT / "competitions" / ours / "train.py").read_text()
    assert made.replace("$name", ours) == written


def test_an_unknown_task_gets_a_hint(kit):
    code, text = kit("new", "things", "--task", "segmentaton")
    assert code == 2
    assert "did you mean 'segmentation'" in text
