"""Columns of 0 and 1 become any number of classes per image, up to a valid submission."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.commands.scaffold.classification import find_layout
from common.commands.scaffold.words import separator_of

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
    ("change", "kind", "classes"),
    [
        (lambda frame: frame, "marks", ("rust", "scab")),
        (lambda frame: frame.astype({"rust": float}), "marks", ("rust", "scab")),
        (lambda frame: frame.assign(rust=1 - frame.scab), "one_hot", ("rust", "scab")),
        (lambda frame: frame.assign(rust=frame.rust + 1), "label", ("1", "2")),
        (lambda frame: frame[["Id", "rust"]], "label", ("0", "1")),
        (lambda frame: frame.assign(light=np.arange(20) / 7), "marks", ("rust", "scab")),
    ],
)
def test_what_counts_as_several_labels(marked, change, kind, classes):
    folder, frame = marked
    change(frame)[:16].to_csv(folder / "train.csv", index=False)
    layout = find_layout(folder)
    assert (layout.kind, layout.classes) == (kind, classes)


def test_without_a_column_per_class_the_submission_is_left_to_the_person(marked):
    folder, frame = marked
    sample = frame[16:].assign(labels="rust scab")[["Id", "labels"]]
    sample.to_csv(folder / "sample_submission.csv", index=False)
    layout = find_layout(folder)
    assert layout.kind == "marks"
    assert any("mend to_submission in data.py" in note for note in layout.notes)


def write(folder, frame):
    frame[:16].to_csv(folder / "train.csv", index=False)
    frame[16:].to_csv(folder / "sample_submission.csv", index=False)


def succeed(kit, *words):
    code, text = kit(*words)
    assert code == 0, (words, text)
    return text


def test_a_single_one_in_each_row_is_a_class(kit, marked, tmp_path):
    folder, frame = marked
    write(folder, frame.assign(rust=1 - frame.scab))
    assert "one of 2 classes per image" in succeed(kit, "new", "marked")
    succeed(kit, "train", "marked", *QUICK)
    found = pd.read_parquet(tmp_path / "runs" / "marked" / "baseline" / "fold0" / "oof.parquet")
    np.testing.assert_array_equal(found.label, frame.set_index("Id").scab[found.image_id])
    succeed(kit, "predict", "marked")
    table = pd.read_csv("submission.csv")
    np.testing.assert_allclose(table[["rust", "scab"]].sum(axis=1), 1, atol=1e-4)


def test_words_in_a_cell_become_labels_up_to_a_submission(kit, marked, tmp_path):
    folder, frame = marked
    words = ["", "10", "2", "2 10", "7 10 2", "7"]
    frame = frame[["Id"]].assign(labels=[words[n % len(words)] for n in range(len(frame))])
    write(folder, frame)
    said = succeed(kit, "new", "marked")
    assert "any number of 3 classes per image: 2, 7, 10" in said
    succeed(kit, "train", "marked", "--fold", "all", *QUICK)
    assert "threshold" in succeed(kit, "oof", "marked")
    file = tmp_path / "runs" / "marked" / "baseline" / "decisions.json"
    (tuned,) = json.loads(file.read_text())["predict"].values()
    said = succeed(kit, "predict", "marked", "--run", "baseline")
    assert told(tuned) in said
    succeed(kit, "train", "marked", "--fold", "all", *QUICK, "--name", "two", "train.epochs=2")
    succeed(kit, "blend", "marked", "--run", "baseline", "--run", "two", "--how", "mean")
    file = tmp_path / "runs" / "marked" / "blend-mean" / "blend.json"  # which has its own
    blend = json.loads(file.read_text())["predict"]["predict.thresholds"]
    assert told(blend) in succeed(kit, "predict", "marked", "--run", "blend-mean")
    code, said = kit("predict", "marked", "predict.thresholds=0.1,0.2")  # told before it predicts
    assert (code, "expected a threshold for all 3 classes or for each" in said) == (2, True)
    assert "labels: there" not in said
    succeed(kit, "predict", "marked", "predict.thresholds=0,0,2")
    assert (pd.read_csv("submission.csv", dtype=str).labels == "2 7").all()
    write(folder, frame.assign(labels=frame.labels.str.replace("7", "seven")))
    code, said = kit("train", "marked", *QUICK, "--name", "other")
    assert code == 2
    assert "row 4 (image_id 'm04') has 'seven'" in said


def told(thresholds):
    values = thresholds if len(thresholds) == 3 else thresholds * 3
    pairs = zip(("2", "7", "10"), values, strict=True)
    return f"labels: there from {', '.join(f'{name} {value:.3g}' for name, value in pairs)}"


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["healthy", "rust", "rust scab", "scab healthy"], " "),
        (["a|b", "b", "a"], "|"),
        (["golden retriever", "labrador retriever", "poodle"], ""),
        (["red apple", "green apple", "red pear", "green pear"], ""),
        (["cat", "dog"], ""),
    ],
)
def test_names_with_spaces_are_told_from_several_labels(cells, separator):
    assert separator_of(cells) == separator
