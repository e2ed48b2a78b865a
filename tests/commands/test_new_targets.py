"""Numbers and grades from a csv to a valid submission, by the commands alone."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.commands.scaffold.classification import find_layout

QUICK = (
    *("model.name=test_resnet", "model.weights=none", "data.img_size=32", "data.n_folds=2"),
    *("data.num_workers=0", "train.epochs=1", "train.batch_size=4", "log.loggers=local"),
    *("log.looks=none",),
)


@pytest.fixture
def greys(tmp_path):
    """16 grey pictures and 4 of a test set, a table of brightness as number and as grade."""
    folder, random = tmp_path / "data" / "greys", np.random.default_rng(0)
    rows = []
    for number in range(20):
        part, light = "test" if number > 15 else "train", random.uniform(0, 200)
        (folder / part).mkdir(parents=True, exist_ok=True)
        pixels = random.normal(light, 20, (32, 32, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / part / f"g{number:02d}.png")
        row = {"Id": f"g{number:02d}", "blurred": number % 2, "score": light / 7 + 0.5}
        rows.append({**row, "weight": light + 0.25, "grade": number % 3})
    return folder, pd.DataFrame(rows)


def write(folder, frame, *targets: str) -> None:
    train, test = frame[:16], frame[16:]
    train[["Id", "blurred", *targets]].to_csv(folder / "train.csv", index=False)
    test[["Id"]].assign(**dict.fromkeys(targets, 1)).to_csv(
        folder / "sample_submission.csv", index=False
    )


def succeed(kit, *words: str) -> str:
    code, text = kit(*words)
    assert code == 0, (words, text)
    return text


def test_a_table_of_real_numbers_becomes_a_regression_up_to_a_blend(kit, greys):
    folder, frame = greys
    write(folder, frame, "score", "weight")
    said = succeed(kit, "new", "greys", "--task", "classification")
    assert "real numbers in score, weight: a regression" in said
    checked = succeed(kit, "check", "greys", *QUICK)
    assert "target balance" in checked
    assert "the variance of the standardised target" in " ".join(checked.split())
    for name in ("one", "two"):
        words = ("--name", name, *QUICK, f"train.seed={ord(name[0])}")
        succeed(kit, "train", "greys", *words, "data.fold_kind=random")
    assert "rmse: " in succeed(kit, "oof", "greys", "--experiment", "one", "--against", "two")
    blended = succeed(kit, "blend", "greys", "--run", "one", "--run", "two")
    assert "geometric" not in blended
    code, text = kit("blend", "greys", "--run", "one", "--run", "two", "--how", "rank")
    assert code == 2
    assert "expected --how of mean, hill, optimise" in text
    succeed(kit, "predict", "greys", "--run", "blend-mean")
    table = pd.read_csv("submission.csv")
    assert list(table) == ["Id", "score", "weight"]
    numbers = frame[["score", "weight"]]
    off = (table[["score", "weight"]].mean() - numbers[:16].mean()).abs()
    assert (off < 3 * numbers.std()).all()  # in units
    code, text = kit("pseudo", "greys", "--run", "one")
    assert code == 2
    assert "regression" in text


def test_grades_are_hinted_at_and_predicted_by_what_kit_oof_tunes(kit, greys, tmp_path):
    folder, frame = greys
    write(folder, frame, "grade")
    assert 'set target="ordinal"' in succeed(kit, "new", "greys", "--task", "classification")
    file = tmp_path / "competitions" / "greys" / "config.py"
    text = file.read_text().replace('# target="ordinal",', 'target="ordinal",')
    file.write_text(text.replace('metric="accuracy"', 'metric="quadratic_kappa"'))
    file.write_text(
        file.read_text().replace('target="ordinal"', 'multilabel=True, target="ordinal"')
    )
    code, said = kit("train", "greys", *QUICK)
    assert code == 2
    assert "config.py: expected target=classes with multilabel=true" in said
    file.write_text(file.read_text().replace("multilabel=True, ", ""))
    succeed(kit, "train", "greys", "--fold", "all", *QUICK)
    assert "cut at 0.500, 1.500" in succeed(kit, "predict", "greys", "--run", "baseline")
    assert "cut points of the expected class" in succeed(kit, "oof", "greys")
    file = tmp_path / "runs" / "greys" / "baseline" / "decisions.json"
    kept = json.loads(file.read_text())
    assert len(kept["predict"]["grades"]) == 2
    kept["predict"]["grades"] = [-1.0, 5.0]
    file.write_text(json.dumps(kept))
    assert "cut at -1.000, 5.000" in succeed(kit, "predict", "greys", "--run", "baseline")
    assert (pd.read_csv("submission.csv")["grade"] == 1).all()
    succeed(kit, "train", "greys", "--fold", "all", "--name", "two", *QUICK, "train.epochs=2")
    for how in ("rank", "mean"):  # a blend has its own
        succeed(kit, "blend", "greys", "--run", "baseline", "--run", "two", "--how", how)
        blend = json.loads((tmp_path / f"runs/greys/blend-{how}/blend.json").read_text())
        cuts = ", ".join(f"{cut:.3f}" for cut in blend["predict"]["predict.grade_cuts"])
        assert f"cut at {cuts}" in succeed(kit, "predict", "greys", "--run", f"blend-{how}")


def test_whole_numbers_stay_classes_and_the_way_to_amounts_is_said(tmp_path):
    table = pd.DataFrame({"Id": [f"g{n}" for n in range(30)], "flag": 1, "age": range(30)})
    table.to_csv(tmp_path / "train.csv", index=False)
    table[["Id", "age"]].to_csv(tmp_path / "sample_submission.csv", index=False)
    layout = find_layout(tmp_path)
    assert layout.label_column == "age"  # which the sample asks for
    assert layout.kind == "label"
    assert 'classes=("age",)' in layout.notes[-1]
    table.assign(age=table.age / 4).to_csv(tmp_path / "train.csv", index=False)
    assert find_layout(tmp_path).classes == ("age",)
    table.assign(age=[0.5, 1.5] * 15).to_csv(tmp_path / "train.csv", index=False)
    assert find_layout(tmp_path).classes == ("0.5", "1.5")  # too few to be a measure
