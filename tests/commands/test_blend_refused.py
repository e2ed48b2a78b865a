"""What cannot be blended is told, with what to do about it."""

import pandas as pd
import pytest

from common.keys import FOLD, LABEL
from common.runs import Run

from .experiments import blend, settings, write_experiment


def drop_rows(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    pd.read_parquet(file)[2:].to_parquet(file, index=False)


def drop_oof(runs):
    for fold in range(3):
        Run(runs / "colours" / "b" / f"fold{fold}").oof_file.unlink()


def change_folds(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    pd.read_parquet(file).assign(**{FOLD: 2}).to_parquet(file, index=False)


def change_labels(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    frame = pd.read_parquet(file)
    frame.loc[:3, LABEL] = (frame.loc[:3, LABEL] + 1) % 3
    frame.to_parquet(file, index=False)


def change_classes(runs):
    for fold in range(3):
        file = runs / "colours" / "b" / f"fold{fold}" / "config.json"
        file.write_text(settings(classes=("red", "green", "blue")).model_dump_json())


def segment(runs):
    for fold in range(3):
        file = runs / "colours" / "a" / f"fold{fold}" / "config.json"
        file.write_text(settings(task="segmentation").model_dump_json())


def drop_checkpoint(runs):
    Run(runs / "colours" / "b" / "fold1").best().unlink()


REFUSED = {
    "other ids": (drop_rows, (), "2 are lacking: 'i001', 'i004'"),
    "no out-of-fold file": (drop_oof, (), "expected out-of-fold predictions of colours/b"),
    "other folds": (change_folds, (), "100 samples are in another one: 'i001'"),
    "other labels": (change_labels, (), "4 samples have others"),
    "other classes": (change_classes, (), "b has ('red', 'green', 'blue')"),
    "masks": (segment, (), "average masks when predicting: kit predict colours --run A/fold0"),
    "no checkpoint": (drop_checkpoint, (), "1 of b have none: 'colours/b/fold1'"),
    "a sum of 1.2": (None, ("--weights", "0.9,0.3"), "add up to 1, got 1.2; give 0.75,0.25"),
    "negative": (None, ("--weights=-0.5,1.5",), "expected weights of 0 or more"),
    "too many": (None, ("--weights", "0.5,0.2,0.3"), "expected 2 weights, one for each of a, b"),
    "no numbers": (None, ("--weights", "half"), "expected --weights such as 0.6,0.4"),
    "weights that are found": (
        None,
        ("--how", "hill", "--weights", "0.5,0.5"),
        "expected no --weights with --how hill",
    ),
    "not a way": (None, ("--how", "hil"), "did you mean 'hill'?"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(what, project, runs):
    spoil, words, telling = REFUSED[what]
    write_experiment(runs, "a")
    write_experiment(runs, "b", seed=1)
    if spoil:
        spoil(runs)
    code, text = blend(project, *words)
    assert code == 2, text
    assert telling in text
    assert "Traceback" not in text


def test_one_alone_is_no_blend(project, runs):
    write_experiment(runs, "a")
    for members in (("a",), ("a", "a"), ()):
        code, text = blend(project, members=members)
        assert code == 2
        assert "expected two or more different experiments" in text


def test_of_one_fold_nothing_is_tuned(project, runs):
    for seed, name in enumerate("ab"):
        write_experiment(runs, name, 1.5, seed)
        for fold in (1, 2):
            Run(runs / "colours" / name / f"fold{fold}").oof_file.unlink()
    code, text = blend(project)
    assert code == 0, text
    assert "hill" not in text
    code, text = blend(project, "--how", "stack")
    assert code == 2
    assert "expected 2 folds or more for --how stack" in text
