import random
from multiprocessing import active_children

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset

from common.data.dataset import ImageDataset
from common.data.loaders import EpochSampler, collate, make_loader, set_epoch, stop_workers
from common.data.transforms import train_transforms
from common.errors import KitError

quick = settings(max_examples=40, deadline=None)
N = 10


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    """Copies of one picture, so that only the augmentation tells samples apart."""
    folder = tmp_path_factory.mktemp("images")
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    paths = [str(folder / f"{row}.png") for row in range(N)]
    for path in paths:
        Image.fromarray(image).save(path)
    ids = [f"id{row}" for row in range(N)]
    return pd.DataFrame({"image_id": ids, "path": paths, "label": [row % 3 for row in range(N)]})


def loader(frame, num_workers=0, seed=1, shuffle=True, **options) -> DataLoader:
    dataset = ImageDataset(frame, train_transforms(8, "medium"), seed=seed)
    options = {"batch_size": 3, "shuffle": shuffle, "seed": seed, **options}
    return make_loader(dataset, num_workers=num_workers, **options)


def pictures(loader, epoch, start_batch=0) -> list[tuple[str, bytes]]:
    set_epoch(loader, epoch, start_batch)
    return [
        (image_id, image.numpy().tobytes())
        for batch in loader
        for image_id, image in zip(batch["image_id"], batch["image"], strict=True)
    ]


@quick
@given(st.integers(1, 50), st.integers(0, 5), st.integers(0, 5), st.integers(0, 60))
def test_sampler_laws(n, seed, epoch, start):
    sampler = EpochSampler(n, True, seed)
    sampler.set_epoch(epoch)
    whole = list(sampler)
    assert sorted(whole) == list(range(n))
    sampler.set_epoch(epoch + 1)
    sampler.set_epoch(epoch, start)
    assert list(sampler) == whole[start:]
    assert len(sampler) == len(whole[start:])
    sampler.set_epoch(epoch)
    assert list(sampler) == whole


def test_orders_differ_by_epoch_and_seed_and_are_pinned():
    def order(seed, epoch, shuffle=True):
        sampler = EpochSampler(12, shuffle, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    orders = [order(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len(set(map(tuple, orders))) == 9
    assert order(4, 2, shuffle=False) == list(range(12))
    # A run resumed under other versions must find the same order.
    assert order(42, 3) == [1, 6, 3, 4, 5, 9, 2, 8, 0, 7, 11, 10]


def test_workers_epochs_and_resumption_do_not_change_a_picture(frame):
    alone, one, two = (loader(frame, num_workers) for num_workers in (0, 1, 2))
    epochs = [pictures(alone, epoch) for epoch in range(2)]
    for workers in (one, two):
        assert [pictures(workers, epoch) for epoch in range(2)] == epochs
        assert pictures(workers, 0, start_batch=2) == epochs[0][6:]
        assert pictures(workers, 1) == epochs[1]
    every = [picture for epoch in epochs for _, picture in epoch]
    assert len(set(every)) == 2 * N
    assert pictures(loader(frame, seed=2), 0) != epochs[0]


def test_length_is_what_remains(frame):
    batches = loader(frame, drop_last=True)
    assert len(batches) == 3
    for start, left in ((1, 2), (3, 0), (9, 0)):
        set_epoch(batches, 0, start)
        assert len(batches) == left
        assert len(list(batches)) == left
    set_epoch(batches, 0)
    assert len(list(batches)) == 3
    set_epoch(whole := loader(frame), 0, 3)
    assert [len(batch["index"]) for batch in whole] == [1]


def test_a_batch_is_a_dict_of_tensors_with_ids(frame):
    batch = next(iter(loader(frame, shuffle=False)))
    assert list(batch) == ["image", "index", "label", "image_id"]
    assert batch["image"].shape == (3, 3, 8, 8)
    assert batch["image"].dtype == torch.uint8
    assert batch["index"].tolist() == [0, 1, 2]
    assert batch["index"].dtype == batch["label"].dtype == torch.int64
    assert batch["image_id"] == ["id0", "id1", "id2"]


def test_images_of_different_sizes_are_named():
    samples = [
        {"image": torch.zeros(3, size, 5, dtype=torch.uint8), "image_id": name}
        for name, size in (("a", 4), ("b", 4), ("c", 6))
    ]
    assert collate(samples[:2])["image"].shape == (2, 3, 4, 5)
    with pytest.raises(KitError, match=r"'a' of 4 x 5 and 'c' of 6 x 5 .*set data\.img_size"):
        collate(samples)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_broken_image_is_one_line_from_any_process(frame, num_workers):
    broken = frame.assign(path=["/nowhere/x.jpg", *frame["path"][1:]])
    with pytest.raises(KitError) as caught:
        list(loader(broken, num_workers, shuffle=False))
    assert str(caught.value).startswith("expected an image at '/nowhere/x.jpg', got No such file")
    assert "\n" not in str(caught.value)


def test_iterating_leaves_the_global_random_states_alone(frame):
    def states():
        legacy = np.random.get_state()  # noqa: NPY002, it is the global one that is guarded
        return torch.get_rng_state().tolist(), legacy[1].tolist(), random.getstate()

    before = states()
    pictures(loader(frame), 0)
    assert states() == before


def test_loaders_made_elsewhere_are_told_as_far_as_they_listen():
    plain = DataLoader(TensorDataset(torch.zeros(4)))
    set_epoch(plain, 3)
    with pytest.raises(KitError, match="make_loader to skip 2 batches"):
        set_epoch(plain, 3, start_batch=2)


def test_fewer_samples_than_one_full_batch_are_refused(frame):
    with pytest.raises(KitError, match="one batch of 64, got 10 samples"):
        loader(frame, batch_size=64, drop_last=True)


def test_workers_end_when_they_are_told_to_and_can_begin_anew(frame):
    before, made = set(active_children()), loader(frame, num_workers=2)
    first = pictures(made, 0)
    assert set(active_children()) - before
    stop_workers(made)
    assert not set(active_children()) - before
    assert pictures(made, 0) == first
    stop_workers(made)
    stop_workers(loader(frame))  # which has none
