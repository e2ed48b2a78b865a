import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.config import Config, DataConfig, TrainConfig
from common.data.build_masks import mask_loaders
from common.data.loaders import make_loader, set_epoch
from common.data.mask_dataset import MaskDataset
from common.data.rle import encode
from common.data.texts import Texts
from common.data.transforms import train_transforms
from common.errors import KitError
from common.keys import GROUP, IGNORE, IMAGE, IMAGE_ID, INDEX, MASK

SIZES = [(70, 90), (64, 64), (20, 100)]


def picture(number: int) -> np.ndarray:
    """Red counts rows and green columns, so that a pixel tells where it is from; blue: which."""
    height, width = SIZES[number]
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, np.full_like(rows, number)]).astype(np.uint8)


def truth(number: int) -> np.ndarray:
    return (picture(number)[..., :2].astype(int).sum(2) // 7 % 2).astype(np.uint8)


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("masks")
    rows = []
    for number in range(3):
        path, mask = str(folder / f"{number}.tif"), str(folder / f"{number}_mask.png")
        Image.fromarray(picture(number)).save(path)
        Image.fromarray(truth(number) * 255).save(mask)
        text = encode(truth(number)) if number == 1 else mask
        rows.append({"image_id": f"p{number}", "path": path, "mask": text, "group": number * 2})
    return pd.DataFrame(rows).assign(fold=[0, 1, 0])


def test_the_grid_shows_every_pixel_once(frame):
    dataset = MaskDataset(frame, 32)
    assert len(dataset) == 3 * 3 + 2 * 2 + 1 * 4
    seen = [np.zeros(size, int) for size in SIZES]
    for index in range(len(dataset)):
        sample = dataset[index]
        image, mask = sample[IMAGE].numpy(), sample[MASK].numpy()
        assert (image.dtype, image.shape, mask.shape) == (np.uint8, (3, 32, 32), (32, 32))
        rows, columns, numbers = image[:, mask != IGNORE]
        assert set(numbers) == {dataset.row(index)}
        np.add.at(seen[numbers[0]], (rows, columns), 1)
        np.testing.assert_array_equal(
            mask[mask != IGNORE], truth(numbers[0])[rows.astype(int), columns]
        )
        assert sample[IMAGE_ID] == f"p{numbers[0]}@{rows[0]},{columns[0]}"
        assert (sample[INDEX], sample[GROUP]) == (index, 2 * numbers[0])
        np.testing.assert_array_equal(dataset.raw(index), image.transpose(1, 2, 0))
        np.testing.assert_array_equal(dataset.raw_mask(index), mask)
    assert all((count == 1).all() for count in seen)


@pytest.mark.parametrize(("row", "size"), [(0, 32), (1, 16)])
def test_jitter_sees_pixels_about_once_and_never_leaves_the_picture(frame, row, size):
    dataset = MaskDataset(frame[row : row + 1].reset_index(drop=True), size, jitter=True, seed=3)
    seen, corners = np.zeros(SIZES[row]), set()
    for epoch in range(60):
        dataset.set_epoch(epoch)
        for index in range(len(dataset)):
            sample = dataset[index]
            assert (sample[MASK] != IGNORE).all()
            rows, columns, _ = sample[IMAGE].numpy()
            np.add.at(seen, (rows, columns), 1 / 60)
            corners.add((rows[0, 0], columns[0, 0]))
    assert len(corners) > 200
    assert seen.mean() == pytest.approx(len(dataset) * size**2 / seen.size)
    assert seen.min() > 0.1
    if row == 1:  # four windows wide and high: the middle is far from any border
        middle = seen[24:-24, 24:-24]
        assert 0.6 < middle.min() < middle.max() < 1.5


def test_a_window_moves_by_up_to_half_its_side_where_they_fit_evenly(frame):
    dataset = MaskDataset(frame[1:2].reset_index(drop=True), 32, jitter=True)
    moves = []
    for epoch in range(40):
        dataset.set_epoch(epoch)
        for index in range(4):
            rows, columns, _ = dataset[index][IMAGE].numpy().astype(int)
            window = dataset.window(index)
            moves += [rows[0, 0] - window.top, columns[0, 0] - window.left]
    assert -16 <= min(moves) < -13
    assert 13 < max(moves) <= 16
    assert abs(np.mean(moves)) < 2


def test_a_sample_is_a_function_of_seed_epoch_and_index(frame):
    def draw(seed: int, epoch: int, index: int) -> bytes:
        dataset = MaskDataset(
            frame, 32, transform=train_transforms(32, "medium"), seed=seed, jitter=True
        )
        dataset.set_epoch(epoch)
        dataset[(index + 1) % 5]
        sample = dataset[index]
        return sample[IMAGE].numpy().tobytes() + sample[MASK].numpy().tobytes()

    states = [(seed, epoch, index) for seed in (0, 1) for epoch in (0, 1) for index in (0, 4)]
    drawn = [draw(*state) for state in states]
    assert drawn == [draw(*state) for state in states]
    assert len(set(drawn)) == len(states)


@pytest.mark.parametrize("recipe", ["none", "flip", "dihedral", "light", "medium"])
def test_masks_follow_their_pictures_through_every_recipe(tmp_path, recipe):
    """Where the picture is bright there is foreground, before and after."""
    random = np.random.default_rng(0)
    blocks = (random.random((6, 6)) < 0.5).repeat(16, 0).repeat(16, 1)
    Image.fromarray(np.dstack([blocks * np.uint8(190) + np.uint8(30)] * 3)).save(tmp_path / "a.png")
    Image.fromarray(blocks).save(tmp_path / "m.png")
    frame = pd.DataFrame(
        {"image_id": ["a"], "path": [str(tmp_path / "a.png")], "mask": [str(tmp_path / "m.png")]}
    )
    dataset = MaskDataset(frame, 64, transform=train_transforms(64, recipe), jitter=True)
    holes = 0
    for epoch in range(20):
        dataset.set_epoch(epoch)
        sample = dataset[epoch % len(dataset)]
        image, mask = sample[IMAGE].float().mean(0), sample[MASK]
        assert sample[GROUP] == 0
        known = mask != IGNORE
        holes += int(not known.all())
        agree = (image[known] > 115) == (mask[known] == 1)
        assert agree.float().mean() > 0.93
    assert (holes > 0) == (recipe == "medium")


def test_without_a_size_a_picture_is_one_window(frame):
    dataset = MaskDataset(frame, None)
    assert len(dataset) == 3
    assert dataset[2][IMAGE].shape == (3, 20, 100)
    assert dataset[2][IMAGE_ID] == "p2@0,0"


def test_a_picture_smaller_than_its_window_is_reflected_and_ignored(frame):
    dataset = MaskDataset(frame[2:].reset_index(drop=True), 128, jitter=True)
    sample = dataset[0]
    assert (sample[MASK][:20, :100] != IGNORE).all()
    assert (sample[MASK] == IGNORE).sum() == 128 * 128 - 20 * 100
    assert sample[IMAGE][0, 21, 0] == 17


def test_workers_and_pickles_give_the_same(frame):
    dataset = MaskDataset(frame, 32, transform=train_transforms(32, "light"), jitter=True)
    batches = []
    for source, workers in ((dataset, 0), (dataset, 2), (pickle.loads(pickle.dumps(dataset)), 0)):
        loader = make_loader(source, 4, shuffle=True, seed=1, num_workers=workers)
        set_epoch(loader, 2)
        batches.append(torch.cat([batch[MASK] for batch in loader]))
    assert torch.equal(batches[0], batches[1])
    assert torch.equal(batches[0], batches[2])


def test_loaders_of_a_fold(frame, tmp_path):
    config = Config(
        competition="x",
        task="segmentation",
        classes=("building",),
        metric="iou",
        data=DataConfig(img_size=32, num_workers=0),
        train=TrainConfig(batch_size=4),
    )
    train, valid = mask_loaders(frame, 1, config, tmp_path)
    assert {picture.partition("@")[0] for batch in train for picture in batch[IMAGE_ID]} == {
        "p0",
        "p2",
    }
    ids = [window for batch in valid for window in batch[IMAGE_ID]]
    assert ids == ["p1@0,0", "p1@0,32", "p1@32,0", "p1@32,32"]
    batch = next(iter(valid))
    assert batch[IMAGE].shape == (4, 3, 32, 32)
    assert batch[MASK].dtype == torch.uint8
    assert batch[GROUP].tolist() == [2] * 4
    with pytest.raises(KitError, match=r"a fold of \[0, 1\], got 4"):
        mask_loaders(frame, 4, config)


def test_what_does_not_fit_is_refused_before_training(frame, tmp_path):
    with pytest.raises(KitError, match="column 'mask'"):
        MaskDataset(frame.drop(columns="mask"), 32)
    with pytest.raises(KitError, match="whole numbers in column 'group', got"):
        MaskDataset(frame.assign(group="austin"), 32)
    with pytest.raises(KitError, match="unique ids"):
        MaskDataset(frame.assign(image_id="same"), 32)
    other = frame.assign(mask=frame["mask"].iloc[2])
    with pytest.raises(KitError, match="mask of its image's size, 70 x 90"):
        MaskDataset(other, 32)
    Image.fromarray(truth(0) * 9).save(tmp_path / "odd.png")
    odd = frame[:1].assign(mask=str(tmp_path / "odd.png"))
    with pytest.raises(KitError, match="got 0, 9"):
        MaskDataset(odd, 32)[0]


def test_texts_are_kept_as_they_are():
    texts = ["", "1 2 3", "grün", "", "x" * 1000]
    kept = Texts(texts)
    assert list(kept) == texts
    assert kept[-1] == texts[-1]
    with pytest.raises(IndexError):
        kept[5]
