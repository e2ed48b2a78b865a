"""Pseudo-labels that go to another machine: no place of this one goes along, folds do."""

import pandas as pd
import pytest

from common.data.folds import fold_frame
from common.data.pseudo_move import FILE, arrive, check_pseudo, leave
from common.data.pseudo_table import folds_digest
from common.errors import KitError


@pytest.fixture
def labelled(config, colours, tmp_path):
    """A config that names a file of labels for fold 0, and the file of the folds."""
    folds = tmp_path / "runs" / "folds.csv"
    frame = fold_frame(folds, colours[:27], config)
    table = pd.DataFrame({"image_id": ["x", "y"], "path": "/here/x.jpg", "label": "red"})
    table = table.assign(weight=1.0, fold=0, made_by="colours/a/fold0", folds=folds_digest(frame))
    table.attrs = {"test_ids": ["x", "y", "z"]}
    table.to_parquet(tmp_path / "mine.parquet", index=False)
    return config.model_copy(update={"data.pseudo": f"{tmp_path}/mine.parquet"}), folds


def test_what_was_left_arrives_with_the_places_that_are_there(labelled, tmp_path):
    config, folds = labelled
    check_pseudo(config, [0], folds)
    leave(config, folds, tmp_path / "left")
    assert set(pd.read_parquet(tmp_path / "left" / FILE).path) == {""}
    there = pd.DataFrame({"image_id": list("zyx"), "path": ["z.jpg", "y.jpg", "x.jpg"]})
    file = arrive(tmp_path / "left", there, tmp_path / "there")
    table = pd.read_parquet(file)
    assert table.path.tolist() == ["x.jpg", "y.jpg"]
    assert table.attrs["test_ids"] == ["x", "y", "z"]
    before = pd.read_parquet(config.data.pseudo)
    pd.testing.assert_frame_equal(table.drop(columns="path"), before.drop(columns="path"))
    assert (tmp_path / "there" / "folds.csv").read_bytes() == folds.read_bytes()
    with pytest.raises(KitError, match="among the 2 test images, 1 are not: 'y'"):
        arrive(tmp_path / "left", there[there.image_id != "y"], tmp_path / "there")


def test_labels_of_other_folds_are_refused_before_they_are_packed(labelled, colours, tmp_path):
    config, folds = labelled
    with pytest.raises(KitError, match="by the model of fold 1 in"):
        check_pseudo(config, [0, 1], folds)
    folds.unlink()
    with pytest.raises(KitError, match=r"made for the folds of .*kit pseudo"):
        check_pseudo(config, [0], folds)
    fold_frame(folds, colours[:26].drop(columns="fold"), config)
    with pytest.raises(KitError, match=r"made for the folds of .*kit pseudo"):
        check_pseudo(config, [0], folds)
