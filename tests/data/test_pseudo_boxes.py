"""Boxes as pseudo-labels: what is kept, whose they are, what a mixed picture weighs."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.config import Config, DataConfig, TrainConfig
from common.data.build_boxes import box_loaders
from common.data.pseudo_boxes import FoundBoxes, box_rows, judge_boxes
from common.data.pseudo_table import folds_digest
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, LABELS, SCORES, WEIGHT
from common.metrics.box_cuts import Cut

CLASSES = ("a", "b", "c")


def found(*scores, labels=None):
    boxes = np.array([(n, n, n + 4, n + 6) for n in range(len(scores))], float).reshape(-1, 4)
    labels = np.zeros(len(scores), int) if labels is None else np.array(labels)
    return {BOXES: boxes, LABELS: labels, SCORES: np.array(scores, float)}


def test_sure_boxes_are_labels_and_unsure_ones_are_doubt():
    cut = [Cut(0.3, 0.6)]
    judged = judge_boxes(found(0.9, 0.6, 0.59, 0.3, 0.29), cut)
    np.testing.assert_array_equal(judged.boxes, found(0.9, 0.6)[BOXES])
    assert judged.doubt == 0.5
    assert judge_boxes(found(0.9, 0.2), cut).doubt == 0
    assert judge_boxes(found(0.59), cut).doubt == 1
    assert judge_boxes(found(), cut).doubt == 1  # nothing found proves nothing


def test_each_class_is_cut_at_its_own_score():
    cuts = [Cut(0.3, 0.6), Cut(0.1, 0.2), Cut(0.0, math.inf)]
    judged = judge_boxes(found(0.5, 0.25, 0.99, 0.7, labels=[0, 1, 2, 0]), cuts)
    assert judged.labels.tolist() == [1, 0]
    assert judged.doubt == 0.5


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> pd.DataFrame:
    """Nine grey pictures of 40 x 32 pixels, with a box of class a each."""
    folder, rows = tmp_path_factory.mktemp("boxes"), []
    for number in range(9):
        path = folder / f"{number}.png"
        Image.fromarray(np.full((32, 40, 3), 100, np.uint8)).save(path)
        row = {"image_id": f"i{number}", "path": str(path), "fold": number % 3}
        rows.append({**row, "boxes": np.array([(1, 2, 20, 30)], float), "labels": np.array([0])})
    return pd.DataFrame(rows)


def config(**values) -> Config:
    return Config(
        competition="x",
        task="detection",
        classes=CLASSES,
        metric="m",
        data=DataConfig(img_size=32, num_workers=0, n_folds=3, augment="none"),
        train=TrainConfig(batch_size=2),
    ).model_copy(update=values)


@pytest.fixture
def frame(pictures):
    return pictures[:6].assign(fold=np.arange(6) % 3)


def table(frame, pictures) -> pd.DataFrame:
    """The model of fold k finds a box of class k in each test picture, of which half is sure."""
    test, parts = pictures[6:], []
    for fold in range(3):
        one = FoundBoxes(np.array([(4, 8, 24, 16)]), np.array([fold]), 0.5)
        rows = box_rows(test, [one] * len(test), CLASSES)
        parts.append(rows.assign(fold=fold, made_by=f"x/base/fold{fold}"))
    return pd.concat(parts, ignore_index=True).assign(folds=folds_digest(frame))


@pytest.fixture
def loaders(frame, tmp_path):
    def make(rows, fold=1, **values):
        rows.to_parquet(tmp_path / "pseudo.parquet", index=False)
        return box_loaders(frame, fold, config(**{"data.pseudo": f"{tmp_path}/pseudo.parquet"}
                                               | values))  # fmt: skip

    return make


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_learns_from_boxes_of_its_own_model_and_validates_on_none(
    frame, pictures, loaders, fold
):
    train, valid = loaders(table(frame, pictures), fold)
    seen = {sample[IMAGE_ID]: sample for sample in map(train.dataset.__getitem__, range(7))}
    assert set(seen) == set(frame[frame.fold != fold].image_id) | {"i6", "i7", "i8"}
    for name in ("i6", "i7", "i8"):  # the other models, who saw this fold, said other classes
        assert seen[name][LABELS].tolist() == [fold]
        scale = torch.tensor([32 / 40, 1, 32 / 40, 1])
        torch.testing.assert_close(seen[name][BOXES], torch.tensor([[4.0, 8, 24, 16]]) * scale)
        assert float(seen[name][WEIGHT]) == 0.5
    assert float(seen[frame[frame.fold != fold].image_id.iloc[0]][WEIGHT]) == 1
    held_out = {name for batch in valid for name in batch[IMAGE_ID]}
    assert held_out == set(frame[frame.fold == fold].image_id)
    assert not any(WEIGHT in batch for batch in valid)


def test_a_mixed_picture_weighs_as_its_least_sure_part_and_none_is_drawn_before_they_count(
    frame, pictures, loaders
):
    values = {"train.mosaic": 1.0, "data.pseudo_start": 2, "data.pseudo_ramp": 2}
    dataset = loaders(table(frame, pictures), **values)[0].dataset
    weights = []
    for epoch in range(6):
        dataset.set_epoch(epoch)
        samples = [dataset[index] for index in range(len(dataset))]
        weights.append([float(sample[WEIGHT]) for sample in samples])
        labels = [set(sample[LABELS].tolist()) for sample in samples[:4]]
        if epoch < 2:  # true pictures are mixed with true ones: only class 0
            assert set().union(*labels) <= {0}
            assert weights[-1] == [1] * 4 + [0] * 3
    assert {w for row in weights[3:] for w in row[:4]} == {1, 0.5}  # some have a pseudo part
    assert set(weights[2]) <= {1, 0.25}
    assert set(weights[5][4:]) == {0.5}


def test_without_pseudo_labels_a_mosaic_is_as_ever(frame):
    plain = box_loaders(frame, 1, config(**{"train.mosaic": 1.0}))[0].dataset
    rows = [plain._mixed(index)[1] for index in range(4)]
    assert all(len(own) == 4 and max(own) < 4 for own in rows)
    assert WEIGHT not in plain[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.assign(labels=[["d"]] * len(t)), "labels of the classes 'a', 'b', 'c'"),
        (lambda t: t.assign(boxes=[np.zeros(3)] * len(t)), "finite boxes with a label each"),
        (lambda t: t.assign(boxes=[np.full(4, np.nan)] * len(t)), "finite boxes"),
        (lambda t: t.drop(columns="boxes"), "expected labels for detection"),
        (lambda t: t[t.fold != 1], "got those of folds"),
        (lambda t: t.assign(made_by="x/base/fold2"), "by 'x/base/fold2', which saw"),
        (lambda t: t.assign(folds="other"), "its models were trained on others"),
        (lambda t: t.assign(image_id="i0"), "have a true label: 'i0'"),
    ],
)
def test_wrong_tables_are_refused_with_a_remedy(frame, pictures, loaders, change, said):
    with pytest.raises(KitError, match=said) as caught:
        loaders(change(table(frame, pictures)))
    assert "kit pseudo" in str(caught.value) or "data.py" in str(caught.value)
