"""Boxes stay on what they showed: rectangles are drawn, each in a colour of its own."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.config import Config, DataConfig, TrainConfig
from common.data.box_dataset import BoxDataset
from common.data.build_boxes import box_loaders, predict_box_loader
from common.data.loaders import make_loader, set_epoch
from common.data.transforms import compose, train_transforms, valid_transforms
from common.errors import KitError
from common.keys import BOXES, IMAGE, IMAGE_ID, INDEX, LABELS, SIZE

RECIPES = ("none", "flip", "dihedral", "light", "medium")
SLIVER = 0.1 * 40**2 * (128 / 90) ** 2 / 0.35  # pixels of a tenth of the largest box
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)], np.uint8)  # by label


def draw(folder: Path, count: int, suffix: str = ".png", seed: int = 0) -> pd.DataFrame:
    """Black pictures of several shapes with up to four rectangles, a colour for each label."""
    rows = []
    for number in range(count):
        random = np.random.default_rng((seed, number))
        height, width = random.integers(90, 160, 2).tolist()
        image = np.zeros((height, width, 3), np.uint8)
        labels = random.permutation(4)[: number % 5]
        boxes = []
        for label in labels.tolist():  # each in a quarter of its own, so that none hides another
            left, top = label % 2 * width // 2, label // 2 * height // 2
            side = random.integers(18, 40, 2)
            x = left + int(random.integers(0, width // 2 - side[0]))
            y = top + int(random.integers(0, height // 2 - side[1]))
            boxes.append((x, y, x + side[0], y + side[1]))
            image[y : y + side[1], x : x + side[0]] = COLOURS[label]
        path = folder / f"{number}{suffix}"
        Image.fromarray(image).save(path, quality=100)
        row = {"image_id": f"i{number}", "path": str(path), "height": height, "width": width}
        rows.append({**row, "boxes": np.array(boxes, float).reshape(-1, 4), "labels": labels})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> pd.DataFrame:
    return draw(tmp_path_factory.mktemp("drawn"), 12)


def seen(image: np.ndarray, label: int) -> np.ndarray:
    """Where a label's colour is, whatever brightness and hue did to it."""
    bright = image.astype(int) > 80
    return (bright == (COLOURS[label] > 0)).all(axis=-1)


def check_boxes(sample: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return picture, boxes and labels, which are of their types and lie in the picture."""
    image = sample[IMAGE].permute(1, 2, 0).numpy()
    boxes, labels = sample[BOXES].numpy(), sample[LABELS].numpy()
    assert boxes.dtype == np.float32
    assert boxes.shape == (len(labels), 4)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes >= 0).all()
    assert (boxes <= np.array((image.shape[1], image.shape[0]) * 2)).all()
    return image, boxes, labels


def check_bounds(sample: dict, slack: float) -> int:
    """Every box bounds its colour and nothing seen is without a box; return how many there are."""
    image, boxes, labels = check_boxes(sample)
    for label in range(4):
        own = boxes[labels == label]
        ys, xs = np.nonzero(seen(image, label))
        if not len(own):
            assert len(xs) < SLIVER
            continue
        real = np.array((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
        np.testing.assert_allclose(own, real[None], atol=slack)
    return len(boxes)


def check_covers(sample: dict) -> int:
    """What is lit lies in boxes, and boxes are lit, whatever a turn and a tint did to them."""
    image, boxes, _ = check_boxes(sample)
    lit, covered = image.max(axis=-1) > 60, np.zeros(image.shape[:2], bool)
    for x1, y1, x2, y2 in boxes.round().astype(int):
        assert lit[y1:y2, x1:x2].mean() > 0.7 or x2 - x1 < 6 or y2 - y1 < 6
        covered[max(y1 - 2, 0) : y2 + 2, max(x1 - 2, 0) : x2 + 2] = True
    assert (lit & ~covered).sum() < SLIVER
    return len(boxes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_boxes_survive_every_augmentation(drawn, recipe: str) -> None:
    dataset = BoxDataset(drawn, 4, train_transforms(128, recipe, boxes=True))
    count = 0
    for epoch in range(6):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            turned = recipe == "medium"
            count += check_covers(dataset[index]) if turned else check_bounds(dataset[index], 2.0)
    assert count > 60


def test_validation_drops_no_box_and_follows_the_resize(drawn) -> None:
    dataset = BoxDataset(drawn, 4, valid_transforms(64, boxes=True))
    for index in range(len(dataset)):
        sample = dataset[index]
        height, width = drawn.height[index], drawn.width[index]
        expected = drawn.boxes[index] * np.array((64 / width, 64 / height) * 2)
        np.testing.assert_allclose(sample[BOXES], expected.reshape(-1, 4), atol=1e-3)
        assert sample[LABELS].tolist() == drawn.labels[index].tolist()
        assert sample[SIZE].tolist() == [height, width]
        assert sample[INDEX] == index
        assert sample[IMAGE_ID] == f"i{index}"


@pytest.mark.parametrize("columns", [["width", "height"], []])
def test_boxes_follow_a_jpeg_that_is_decoded_smaller(tmp_path, columns) -> None:
    frame = draw(tmp_path, 6, ".jpg").drop(columns=["width", "height"][len(columns) :])
    dataset = BoxDataset(frame, 4, min_side=30)
    full = BoxDataset(frame, 4)
    for index in range(len(frame)):
        image, (boxes, _) = dataset.raw(index), dataset.raw_boxes(index)
        height, width = full.raw(index).shape[:2]
        assert image.shape[0] < height
        assert dataset[index][SIZE].tolist() == [height, width]
        check_bounds(full[index], 1.5)
        scale = np.array((image.shape[1] / width, image.shape[0] / height) * 2)
        expected = (boxes * scale).reshape(-1, 4)
        np.testing.assert_allclose(dataset[index][BOXES], expected, atol=1e-4)
        np.testing.assert_allclose(dataset.raw_boxes(index, image.shape)[0], expected, atol=1e-4)


def samples_of(frame, workers: int, epoch: int, seed: int = 3) -> list[tuple]:
    dataset = BoxDataset(
        frame, 4, train_transforms(64, "light", boxes=True), seed, mosaic=0.6, mixup=1.5
    )
    loader = make_loader(dataset, 1, shuffle=False, seed=seed, num_workers=workers)
    set_epoch(loader, epoch)
    return [(b[IMAGE], torch.cat(list(b[BOXES])), torch.cat(list(b[LABELS]))) for b in loader]


def same(one: list[tuple], other: list[tuple]) -> bool:
    return all(
        a.shape == b.shape and torch.equal(a, b)
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def test_mosaic_and_mixup_are_a_function_of_seed_epoch_and_index(drawn) -> None:
    first = samples_of(drawn, 0, 1)
    assert same(first, samples_of(drawn, 0, 1))
    assert same(first, samples_of(drawn, 2, 1))
    assert not same(first, samples_of(drawn, 0, 2))
    assert not same(first, samples_of(drawn, 0, 1, seed=4))


def test_mosaic_mixes_four_and_every_box_is_on_its_colour(drawn) -> None:
    plain = BoxDataset(drawn, 4, valid_transforms(96, boxes=True))
    dataset = BoxDataset(drawn, 4, valid_transforms(96, boxes=True), mosaic=1.0)
    total = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        image = sample[IMAGE].permute(1, 2, 0).numpy()
        for box, label in zip(sample[BOXES].round().int().tolist(), sample[LABELS], strict=True):
            x1, y1, x2, y2 = box
            inner = seen(image, int(label))[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1]
            assert inner.mean() > 0.95 or inner.size == 0
        total += len(sample[BOXES])
        assert not torch.equal(sample[IMAGE], plain[index][IMAGE])
    assert total > 12


@pytest.mark.parametrize("option", ["mosaic", "mixup"])
def test_each_option_alone_changes_some_pictures(drawn, option: str) -> None:
    plain = BoxDataset(drawn, 4, valid_transforms(64, boxes=True))
    mixed = BoxDataset(drawn, 4, valid_transforms(64, boxes=True), **{option: 0.5})
    changed = [not torch.equal(plain[k][IMAGE], mixed[k][IMAGE]) for k in range(len(drawn))]
    assert 0 < sum(changed) < len(drawn)


def with_boxes(frame: pd.DataFrame, boxes: list, labels: list | None = None) -> pd.DataFrame:
    changed = frame.iloc[:1].copy()
    changed["boxes"] = [np.array(boxes, float).reshape(-1, 4)]
    changed["labels"] = [np.array([0] * len(boxes) if labels is None else labels)]
    return changed


def test_boxes_that_cannot_be_trained_on_are_dropped_counted_and_warned_of_once(drawn) -> None:
    width, height = drawn.width[0], drawn.height[0]
    boxes = [
        (5, 5, 5, 20),  # no width
        (width + 5, 5, width + 9, 20),  # outside
        (-10, 5, 20, height + 7),  # clipped
        (3, 4, 30, 40),
    ]
    with pytest.warns(UserWarning, match="boxes of 1 images mended: dropped 1") as caught:
        dataset = BoxDataset(with_boxes(drawn, boxes), 4)
    assert len(caught) == 1
    repairs = dataset.repairs
    assert (repairs.zero_size, repairs.outside, repairs.clipped) == (1, 1, 1)
    assert dataset[0][BOXES].tolist() == [[0, 5, 20, height], [3, 4, 30, 40]]


@pytest.mark.parametrize(
    ("boxes", "labels", "message"),
    [
        ([(20, 5, 10, 20)], [0], "x1 <= x2"),
        ([(np.nan, 5, 10, 20)], [0], "four finite numbers"),
        ([(1, 5, 10, 20)], [4], "a label from 0 to 3.*'i0'"),
        ([(1, 5, 10, 20)], [-1], "a label from 0 to 3"),
        ([(1, 5, 10, 20)], [0, 1], "a label per box"),
    ],
)
def test_boxes_that_contradict_themselves_are_refused(drawn, boxes, labels, message) -> None:
    with pytest.raises(KitError, match=message):
        BoxDataset(with_boxes(drawn, boxes, labels), 4)


@pytest.mark.parametrize("nothing", [None, np.nan, [], np.zeros((0, 4))])
def test_an_image_without_boxes_is_a_sample_with_none(drawn, nothing) -> None:
    frame = drawn.copy()
    frame["boxes"] = [nothing, *frame["boxes"][1:]]
    frame["labels"] = [None if nothing is None else [], *frame["labels"][1:]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = BoxDataset(frame, 4, train_transforms(64, "medium", boxes=True))
    assert dataset[0][BOXES].shape == (0, 4)
    assert dataset[0][LABELS].dtype == torch.int64
    assert dataset[0][BOXES].dtype == torch.float32


def test_one_class_needs_no_labels_and_several_do(drawn) -> None:
    frame = drawn.drop(columns="labels")
    assert set(BoxDataset(frame, 1)[4][LABELS].tolist()) == {0}
    with pytest.raises(KitError, match="column 'labels'"):
        BoxDataset(frame, 4)


def test_prediction_needs_no_boxes_and_knows_the_files_size(drawn) -> None:
    frame = drawn[["image_id", "path"]]
    with pytest.raises(KitError, match="labelled=False"):
        BoxDataset(frame, 1)
    config = Config(competition="x", classes=("a",), metric="m", data=DataConfig(img_size=32))
    (batch,) = next(iter(predict_box_loader(frame, config, 0))).parts
    assert BOXES not in batch
    assert batch[SIZE].tolist() == drawn[["height", "width"]].to_numpy().tolist()


@pytest.mark.parametrize("min_side", [0, 16])
def test_a_frame_whose_sizes_are_not_the_files_is_refused(drawn, min_side) -> None:
    wrong = drawn.assign(width=drawn.height, height=drawn.width)
    with pytest.raises(KitError, match="its boxes would lie elsewhere"):
        BoxDataset(wrong, 4, min_side=min_side)


def test_a_transform_that_would_forget_the_boxes_is_refused(drawn) -> None:
    with pytest.raises(KitError, match="boxes=True"):
        BoxDataset(drawn, 4, compose([]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 5), st.sampled_from(RECIPES))
def test_a_sample_is_the_same_however_often_it_is_asked_for(drawn, seed, epoch, recipe) -> None:
    dataset = BoxDataset(drawn, 4, train_transforms(48, recipe, boxes=True), seed, mosaic=0.5)
    dataset.set_epoch(epoch)
    first = dataset[3]
    dataset[7]
    assert torch.equal(first[IMAGE], dataset[3][IMAGE])
    assert torch.equal(first[BOXES], dataset[3][BOXES])


def test_loaders_hold_out_the_fold_and_keep_boxes_as_lists(drawn, tmp_path) -> None:
    config = Config(
        competition="x",
        classes=("a", "b", "c", "d"),
        metric="m",
        data=DataConfig(img_size=64, augment="dihedral", num_workers=0, cache=True),
        train=TrainConfig(batch_size=4, mosaic=0.5),
    )
    frame = drawn.assign(fold=np.arange(len(drawn)) % 3)
    train, valid = box_loaders(frame, 1, config, tmp_path)
    batches = list(train), list(valid)
    assert [len(b[BOXES]) for b in batches[0]] == [4, 4]
    assert batches[1][0][IMAGE_ID] == frame.image_id[frame.fold == 1].tolist()
    assert all(boxes.shape[1:] == (4,) for b in batches[0] for boxes in b[BOXES])
    assert train.dataset.mosaic == 0.5
    assert valid.dataset.mosaic == valid.dataset.mixup == 0
    with pytest.raises(KitError, match="expected a fold of"):
        box_loaders(frame, 7, config)
