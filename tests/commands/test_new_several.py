"""Columns of 0 and 1 become any number of classes per image, up to a valid submission."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.commands.scaffold.classification import find_layout

QUICK = (
    *("model.name=test_resnet", "model.weights=none", "data.img_size=32", "data.n_folds=2"),
    *("data.num_workers=0", "train.epochs=1", "train.batch_size=4", "log.loggers=local"),
    *("log.looks=none", "train.schedule=constant"),
)


@pytest.fixture
def marked(tmp_path):
    """16 pictures and 4 of a test set, each with any of two marks; a third column has others."""
    folder, random = tmp_path / "data" / "marked", np.random.default_rng(0)
    rows = []
    for number in range(20):
        part = "test" if number > 15 else "train"
        (folder / part).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / part / f"m{number:02d}.png")
        rows.append({"Id": f"m{number:02d}", "rust": number % 2, "scab": number // 2 % 2})
    frame = pd.DataFrame(rows)
    frame[:16].to_csv(folder / "train.csv", index=False)
    frame[16:].assign(rust=0.5, scab=0.5).to_csv(folder / "sample_submission.csv", index=False)
    return folder, frame


def test_columns_of_marks_become_several_labels_up_to_a_submission(kit, marked):
    code, said = kit("new", "marked", "--task", "classification")
    assert code == 0, said
    assert "found 0 and 1 in rust, scab, not always a single 1 in a row: any number of 2" in said
    assert "mend classes, multilabel and metric in config.py" in said
    for words in (
        ("check", "marked", "--no-model", *QUICK),
        ("train", "marked", "--fold", "all", *QUICK),
        ("oof", "marked"),
        ("predict", "marked", "--run", "baseline"),
    ):
        code, text = kit(*words)
        assert code == 0, (words, text)
    table = pd.read_csv("submission.csv")
    assert list(table) == ["Id", "rust", "scab"]
    assert not np.allclose(table[["rust", "scab"]].sum(axis=1), 1)  # each is asked on its own


@pytest.mark.parametrize(
    ("change", "several", "classes"),
    [
        (lambda frame: frame, True, ("rust", "scab")),
        (lambda frame: frame.astype({"rust": float}), True, ("rust", "scab")),
        (lambda frame: frame.assign(rust=1 - frame.scab), False, ("0", "1")),  # one-hot
        (lambda frame: frame.assign(rust=frame.rust + 1), False, ("1", "2")),
        (lambda frame: frame[["Id", "rust"]], False, ("0", "1")),
        (lambda frame: frame.assign(light=np.arange(20) / 7), True, ("rust", "scab")),
    ],
)
def test_what_counts_as_several_labels(marked, change, several, classes):
    folder, frame = marked
    change(frame)[:16].to_csv(folder / "train.csv", index=False)
    layout = find_layout(folder)
    assert (layout.several, layout.classes) == (several, classes)
    one_hot = "rust" in change(frame) and (change(frame).drop(columns="Id").sum(axis=1) == 1).all()
    assert any("alone is 1 in every row" in note for note in layout.notes) == one_hot


def test_without_a_column_per_class_the_submission_is_left_to_the_person(marked):
    folder, frame = marked
    sample = frame[16:].assign(labels="rust scab")[["Id", "labels"]]
    sample.to_csv(folder / "sample_submission.csv", index=False)
    layout = find_layout(folder)
    assert layout.several
    assert any("mend to_submission in data.py" in note for note in layout.notes)
