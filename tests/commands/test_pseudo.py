"""From trained folds to pseudo-labels, and to folds that are trained on them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.inference.classification import predict_classes
from common.runs import Run

from .conftest import FAST
from .experiments import grow

FOLDS = ("data.n_folds=3", "--fold", "all")
CLASSES = ["blue", "green", "red"]


def run_of(tmp_path: Path, experiment: str, fold: int) -> Run:
    return Run(tmp_path / "runs" / "colours" / experiment / f"fold{fold}")


def test_each_fold_goes_on_with_the_labels_of_its_own_model(project, data, tmp_path):
    assert project("train", "colours", *FAST, *FOLDS)[0] == 0
    code, text = project("pseudo", "colours", "--least", "1")
    assert (code, "lower --least" in text) == (2, True)
    code, text = project(
        "pseudo", "colours", "-e", "baseline", "--soft", "--least", "0", "--top", "0.5"
    )
    assert code == 0, text
    file = tmp_path / "runs" / "colours" / "pseudo-baseline.parquet"
    table = pd.read_parquet(file)
    assert table.groupby("fold").size().tolist() == [6, 6, 6]  # half of 12 images
    for fold, rows in table.groupby("fold"):
        _check_labels(rows, run_of(tmp_path, "baseline", fold), data)
    used = (f"data.pseudo={file}", "data.pseudo_ramp=2", "data.n_folds=3", "log.looks=extremes")
    words = (*used, "train.mixup=0.4", "--fold", "1", "--name", "soft")
    sample = pd.read_csv(data / "sample_submission.csv")
    sample[~sample.image.isin(table.image_id[:1])].to_csv(data / "sample_submission.csv")
    code, text = project("train", "colours", *FAST, *words)
    assert (code, f"are not: '{table.image_id[0]}'; the test set" in text) == (2, True), text
    grow(data, sample)
    with pytest.warns(UserWarning, match=r"1 of 13 test images are new since .*: 'new\.jpg'; make"):
        code, text = project("train", "colours", *FAST, *words)
    assert code == 0, text
    runs = [run_of(tmp_path, name, 1) for name in ("soft", "baseline")]
    validated = [set(pd.read_parquet(run.oof_file).image_id) for run in runs]
    assert validated[0] == validated[1]  # the same images, and no pseudo-label
    assert not validated[0] & set(table.image_id)


def _check_labels(rows: pd.DataFrame, run: Run, data: Path) -> None:
    """The surest of what the run's own checkpoint says, and nothing else."""
    test = pd.DataFrame({"image_id": sorted(path.name for path in (data / "test").iterdir())})
    test["path"] = [str(data / "test" / name) for name in test.image_id]
    said = predict_classes([run.best()], test).set_index("image_id")
    probs = rows[[f"prob_{name}" for name in CLASSES]]
    assert set(rows.made_by) == {run.name}
    np.testing.assert_allclose(probs, said.loc[rows.image_id, CLASSES], atol=1e-6)
    left = said.drop(index=rows.image_id)[CLASSES].max(axis=1)
    assert probs.max(axis=1).min() >= left.max()


def test_a_lacking_fold_is_named(begun, tmp_path):
    code, text = begun("pseudo", "colours", "-e", "basline")
    assert (code, "did you mean 'baseline'?" in text) == (2, True)
    run_of(tmp_path, "baseline", 1).best().unlink()
    code, text = begun("pseudo", "colours")
    assert (code, "lacks '1'" in text, "--fold 1" in text) == (2, True, True)


def test_models_of_other_folds_make_no_labels(begun, tmp_path):
    files = [run_of(tmp_path, "baseline", fold).oof_file for fold in (0, 1)]
    files[0].rename(tmp_path / "first")
    files[1].rename(files[0])
    (tmp_path / "first").rename(files[1])
    code, text = begun("pseudo", "colours")
    assert (code, "was trained on other folds" in text) == (2, True), text


def test_a_test_image_that_is_trained_on_gets_no_label(begun, data):
    sample = pd.read_csv(data / "sample_submission.csv")
    train = pd.read_csv(data / "train.csv")
    train.loc[0, "image"] = sample.image[0]
    (data / "train" / sample.image[0]).symlink_to((data / "test" / sample.image[0]).resolve())
    train.to_csv(data / "train.csv", index=False)
    code, text = begun("pseudo", "colours")
    assert (code, f"ids are of both: '{sample.image[0]}'" in text) == (2, True), text


def test_check_reads_the_file(begun):
    code, text = begun("check", "colours", *FAST, "data.n_folds=3", "data.pseudo=gone.parquet")
    assert "expected pseudo-labels in 'gone.parquet'" in text
    assert code == 1
