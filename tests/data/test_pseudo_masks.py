"""Masks as pseudo-labels: sure pixels are labels, unsure ones count nowhere, whose they are."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from common.config import Config, DataConfig, TrainConfig
from common.data.build_masks import mask_loaders
from common.data.masks import read_mask
from common.data.pseudo_masks import judge_mask, mask_rows, unpack_masks
from common.data.pseudo_table import folds_digest
from common.errors import KitError
from common.keys import IGNORE, IMAGE_ID, MASK, MASK_LOGITS, WEIGHT
from common.learners.segmentation import segmentation_loss

SIZE = (32, 48)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, (5, 7), elements=st.floats(0, 1, width=32)), st.floats(0.5, 1))
def test_one_class_is_cut_from_both_sides_and_what_is_written_is_read(tmp_path_factory, probs, low):
    found = judge_mask(probs, low)
    frame = pd.DataFrame({"image_id": ["a/b.png"], "path": ["b.png"]})
    folder = tmp_path_factory.mktemp("masks")
    (path,) = unpack_masks(mask_rows(frame, [found]), folder)[MASK]
    mask = read_mask(path, 5, 7, 2)
    sure = np.maximum(probs, 1 - probs) >= low
    np.testing.assert_array_equal(mask == IGNORE, ~sure)
    np.testing.assert_array_equal(mask[sure], probs[sure] >= 0.5)
    assert found.doubt == pytest.approx((~sure).mean())
    assert found.counts.tolist() == [int((mask == value).sum()) for value in (0, 1)]
    if low == 0.5:
        assert not found.doubt  # hard masks, without a band


def test_of_several_classes_the_likeliest_counts_where_it_is_sure():
    probs = np.array([[[0.9, 0.5]], [[0.1, 0.3]], [[0.0, 0.2]]])  # (C, 1, 2)
    found = judge_mask(probs, 0.8)
    assert (found.doubt, found.counts.tolist()) == (0.5, [1, 0, 0])
    assert found.confidence == pytest.approx(0.7)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> pd.DataFrame:
    """Nine pictures with masks of 0 and 255."""
    folder, rows = tmp_path_factory.mktemp("pictures"), []
    for number in range(9):
        path, mask = folder / f"{number}.png", folder / f"{number}_mask.png"
        Image.fromarray(np.full((*SIZE, 3), 100, np.uint8)).save(path)
        values = np.zeros(SIZE, np.uint8)
        values[:8] = 255
        Image.fromarray(values).save(mask)
        rows.append({"image_id": f"i{number}", "path": str(path), "mask": str(mask)})
    return pd.DataFrame(rows)


@pytest.fixture
def frame(pictures):
    return pictures[:6].assign(fold=np.arange(6) % 3, group=7)


def config(**values) -> Config:
    return Config(
        competition="x",
        task="segmentation",
        classes=("roof",),
        metric="m",
        data=DataConfig(img_size=32, num_workers=0, n_folds=3, augment="none"),
        train=TrainConfig(batch_size=2),
    ).model_copy(update=values)


def probabilities(fold: int) -> np.ndarray:
    """Sure of column `fold`, unsure of the last one, and nowhere else is there anything."""
    probs = np.zeros(SIZE)
    probs[:, fold], probs[:, 40] = 1, 0.6
    return probs


def table(frame, pictures) -> pd.DataFrame:
    parts = []
    for fold in range(3):
        found = [judge_mask(probabilities(fold), 0.9)] * 3
        rows = mask_rows(pictures[6:], found)
        parts.append(rows.assign(fold=fold, made_by=f"x/base/fold{fold}"))
    joined = pd.concat(parts, ignore_index=True).assign(folds=folds_digest(frame), weight=0.5)
    joined.attrs = {"classes": ["roof"]}
    return joined


@pytest.fixture
def loaders(frame, tmp_path):
    def make(rows, fold=1, **values):
        rows.to_parquet(tmp_path / "pseudo.parquet", index=False)
        update = {"data.pseudo": str(tmp_path / "pseudo.parquet"), **values}
        return mask_loaders(frame, fold, config(**update), tmp_path / "cache")

    return make


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_learns_from_masks_of_its_own_model_and_validates_on_none(
    frame, pictures, loaders, fold
):
    train, valid = loaders(table(frame, pictures), fold, **{"data.img_size": None})
    dataset = train.dataset
    assert dataset.pictures == len(dataset) == 4 + 3
    for index in range(4):
        assert float(dataset[index][WEIGHT]) == 1
        assert dataset[index][MASK].unique().tolist() == [0, 1]  # 255 of true masks: foreground
    for index in range(4, 7):
        sample = dataset[index]
        expected = np.zeros(SIZE, np.uint8)
        expected[:, fold], expected[:, 40] = 1, IGNORE  # the other models said other columns
        np.testing.assert_array_equal(sample[MASK], expected)
        assert float(sample[WEIGHT]) == 0.5
    ids = {dataset.image_id(index).partition("@")[0] for index in range(7)}
    assert ids == set(frame[frame.fold != fold].image_id) | {"i6", "i7", "i8"}
    held_out = {name.partition("@")[0] for batch in valid for name in batch[IMAGE_ID]}
    assert held_out == set(frame[frame.fold == fold].image_id)
    assert not any(WEIGHT in batch for batch in valid)


def test_every_window_has_its_pictures_weight_which_rises_with_the_epochs(frame, pictures, loaders):
    values = {"data.pseudo_weight": 0.5, "data.pseudo_start": 1, "data.pseudo_ramp": 2}
    dataset = loaders(table(frame, pictures), **values)[0].dataset
    assert len(dataset) == 2 * 7  # 32 x 48 pixels are two windows
    rises = []
    for epoch in range(4):
        dataset.set_epoch(epoch)
        found = [float(dataset[index][WEIGHT]) for index in range(len(dataset))]
        assert found[:8] == [1] * 8
        assert len(set(found[8:])) == 1
        rises.append(found[-1])
    assert rises == [0, 0.125, 0.25, 0.25]


def test_unsure_pixels_and_samples_without_weight_change_no_gradient(frame, pictures, loaders):
    train, _ = loaders(table(frame, pictures), **{"data.img_size": None})
    sample = train.dataset[6]
    logits = torch.randn(2, 1, *SIZE, requires_grad=True)
    batch = {MASK: torch.stack([sample[MASK]] * 2), WEIGHT: torch.tensor([1.0, 0.0])}
    segmentation_loss(config())({MASK_LOGITS: logits}, batch).backward()
    assert not logits.grad[1].any()
    assert not logits.grad[0, 0][sample[MASK] == IGNORE].any()
    assert logits.grad[0, 0][sample[MASK] != IGNORE].all()


def test_masks_are_unpacked_once(frame, pictures, loaders, tmp_path):
    loaders(table(frame, pictures))
    files = sorted(tmp_path.glob("cache/pseudo-*/fold1/*.png"))
    assert len(files) == 3
    before = [file.stat().st_mtime_ns for file in files]
    loaders(table(frame, pictures))
    assert [file.stat().st_mtime_ns for file in files] == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns="mask"), "expected labels for segmentation"),
        (lambda t: t[t.fold != 1], "got those of folds"),
        (lambda t: t.assign(made_by="x/base/fold2"), "by 'x/base/fold2', which saw"),
        (lambda t: t.assign(folds="other"), "its models were trained on others"),
        (lambda t: t.assign(weight=np.nan), "expected weights from 0"),
    ],
)
def test_wrong_tables_are_refused_with_a_remedy(frame, pictures, loaders, change, said):
    with pytest.raises(KitError, match=rf"{said}.*kit pseudo"):
        loaders(change(table(frame, pictures)))


def test_masks_of_other_classes_are_refused(frame, pictures, loaders):
    rows = table(frame, pictures)
    rows.attrs = {"classes": ["road"]}
    with pytest.raises(KitError, match=r"labels of the classes 'roof' .* got 'road'"):
        loaders(rows)
