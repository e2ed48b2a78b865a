import albumentations as A
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.data.dataset import ImageDataset, to_tensor
from common.data.transforms import compose, train_transforms
from common.errors import KitError


@pytest.fixture
def frame(tmp_path) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    paths = []
    for row in range(4):
        paths.append(str(tmp_path / f"ü{row}.png"))
        Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(paths[-1])
    ids = [f"id{row}" for row in range(4)]
    columns = {"image_id": ids, "path": paths, "label": [0, 1, 1, 0], "a": [0, 1, 0, 1], "b": 1}
    return pd.DataFrame(columns, index=[7, 3, 3, 1])


def test_a_sample_is_a_dict_with_the_image_first(frame):
    sample = ImageDataset(frame)[2]
    assert list(sample) == ["image", "index", "label", "image_id"]
    pixels = np.asarray(Image.open(frame["path"].iloc[2]))
    assert torch.equal(sample["image"], torch.from_numpy(pixels.transpose(2, 0, 1).copy()))
    assert sample["image"].is_contiguous()
    assert (sample["index"], sample["image_id"]) == (2, "id2")
    assert sample["label"].dtype == torch.int64
    assert sample["label"].item() == 1


def test_targets_may_be_a_vector_a_number_or_none(frame):
    vector = ImageDataset(frame, target=["a", "b"])[1]["label"]
    assert vector.dtype == torch.float32
    assert vector.tolist() == [1, 1]
    number = ImageDataset(frame.assign(label=[0.5, 1, 2, 3]))[0]["label"]
    assert number.dtype == torch.float32
    assert number.item() == 0.5
    assert "label" not in ImageDataset(frame.drop(columns="label"), target=None)[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (16, 9)])
def test_to_tensor_is_a_copy_in_planes(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = torch.from_numpy(image.transpose(2, 0, 1).copy())
    for source in (image, np.asfortranarray(image), np.repeat(image, 2, axis=1)[:, ::2]):
        tensor = to_tensor(source)
        assert torch.equal(tensor, expected)
        tensor.zero_()
    assert image.any()


def test_epochs_draw_other_pictures_and_raw_draws_none(frame):
    dataset = ImageDataset(frame, train_transforms(8, "light"), seed=1)
    first = [dataset[0]["image"] for _ in range(2)]
    assert torch.equal(*first)
    dataset.set_epoch(1)
    assert dataset.epoch == 1
    assert not torch.equal(dataset[0]["image"], first[0])
    assert np.array_equal(dataset.raw(0), np.asarray(Image.open(frame["path"].iloc[0])))
    dataset.set_epoch(0)
    assert torch.equal(dataset[0]["image"], first[0])


def test_it_is_a_sequence(frame):
    dataset = ImageDataset(frame)
    assert len(dataset) == 4
    assert [sample["image_id"] for sample in dataset] == ["id0", "id1", "id2", "id3"]
    assert dataset[-1]["index"] == 3
    assert dataset[np.int64(1)]["index"] == 1


def test_another_reader_gets_path_and_min_side(frame):
    calls = []

    def read(path, min_side):
        calls.append((path, min_side))
        return np.zeros((2, 2, 3), np.uint8)

    ImageDataset(frame, min_side=9, read=read)[3]
    assert calls == [(frame["path"].iloc[3], 9)]


def test_what_does_not_fit_is_refused(frame):
    with pytest.raises(KitError, match="column 'path'"):
        ImageDataset(frame.drop(columns="path"))
    with pytest.raises(KitError, match="target column 'lable'; did you mean 'label'"):
        ImageDataset(frame, target="lable")
    with pytest.raises(KitError, match="unique ids"):
        ImageDataset(frame.assign(image_id="same"))
    with pytest.raises(KitError, match="at least one row"):
        ImageDataset(frame[:0])
    for label in (["x", "y", "x", "y"], [0, 1, np.nan, 1]):
        with pytest.raises(KitError, match="check_labels"):
            ImageDataset(frame.assign(label=label))
    with pytest.raises(KitError, match="got float32; take Normalize"):
        ImageDataset(frame, compose([A.Normalize()]))[0]
