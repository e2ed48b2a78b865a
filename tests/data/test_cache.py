import os
import resource
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image
from torch.utils.data import DataLoader, Dataset

from common.data.cache import COUNT, ResizedCache, shrink
from common.data.image import read_image
from common.errors import KitError


class Reading(Dataset):
    """Pictures by number."""

    def __init__(self, read, paths):
        self.read, self.paths = read, paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.read(self.paths[index])


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(load_sample_image("flower.jpg")[:200, :300]).save(path)
    return path


@pytest.fixture
def cache(tmp_path):
    return ResizedCache(tmp_path / "cache", 64)


def test_first_read_equals_later_reads_and_the_copy_is_near_the_original(cache, photo):
    first = cache(photo)
    assert first.shape == (64, 96, 3)
    assert np.array_equal(first, cache(photo))
    assert np.array_equal(first, read_image(cache.file(photo)))
    assert np.abs(first.astype(int) - shrink(read_image(photo), 64)).mean() < 2.5


def test_copies_are_what_is_read(cache, photo):
    cache(photo)
    copy = Path(cache.file(photo))
    Image.new("RGB", (70, 64), (255, 0, 0)).save(copy)
    assert cache(photo).shape == (64, 70, 3)


def test_a_changed_original_and_another_size_get_copies_of_their_own(cache, photo, tmp_path):
    before = cache(photo)
    Image.fromarray(255 - np.asarray(Image.open(photo))).save(photo)
    os.utime(photo, ns=(1, 1))
    assert not np.array_equal(before, cache(photo))
    assert ResizedCache(tmp_path / "cache", 32)(photo).shape == (32, 48, 3)


def test_small_images_are_not_enlarged(cache, tmp_path):
    Image.new("L", (20, 10), 77).save(tmp_path / "small.png")
    assert cache(tmp_path / "small.png").shape == (10, 20, 3)


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_a_broken_copy_is_made_again(cache, photo, damage):
    first = cache(photo)
    copy = Path(cache.file(photo))
    copy.write_bytes(copy.read_bytes()[:900] if damage is None else damage)
    assert np.array_equal(cache(photo), first)
    assert np.array_equal(read_image(copy), first)


def test_many_at_once_leave_one_whole_copy(cache, photo):
    with ThreadPoolExecutor(4) as pool:
        images = list(pool.map(cache, [photo] * 12))
    assert all(np.array_equal(image, images[0]) for image in images)
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == [Path(cache.file(photo))]


def test_a_full_disk_costs_one_warning(cache, photo, tmp_path):
    expected = ResizedCache(tmp_path / "elsewhere", 64)(photo)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.warns(UserWarning, match=r"image cache '.*cache'.*goes on without it"):
            image = cache(photo)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert np.array_equal(image, expected)
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(cache(photo), expected)


def test_a_limit_is_kept_over_workers_and_sessions_and_changes_no_pixel(photo, tmp_path):
    pixels = np.asarray(Image.open(photo))
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(np.roll(pixels, 10 * number, 1)).save(paths[-1])
    free, folder = ResizedCache(tmp_path / "free", 64), tmp_path / "limited"
    expected = [free(path) for path in paths]
    room = sum(Path(free.file(path)).stat().st_size for path in paths[:3]) + 100
    loader = DataLoader(Reading(ResizedCache(folder, 64, room), paths), None, num_workers=2)
    for found, wanted in zip(loader, expected, strict=True):
        assert np.array_equal(found, wanted)
    kept = sum(file.stat().st_size for file in folder.rglob("*.jpg"))
    assert 0 < kept <= room
    (folder / COUNT).unlink()  # as if they had been made without a limit
    again = ResizedCache(folder, 64, room)
    assert all(np.array_equal(again(p), e) for p, e in zip(paths, expected, strict=True))
    assert sum(file.stat().st_size for file in folder.rglob("*.jpg")) <= room


def test_a_folder_that_cannot_be_made_is_survived(photo, tmp_path):
    (tmp_path / "file").touch()
    cache = ResizedCache(tmp_path / "file" / "cache", 64)
    with pytest.warns(UserWarning, match="cannot write"):
        assert cache(photo).shape == (64, 96, 3)


def test_errors_name_the_original(cache, tmp_path):
    with pytest.raises(KitError, match=r"gone\.jpg', got No such file"):
        cache(tmp_path / "gone.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(KitError, match=r"bad\.jpg"):
        cache(tmp_path / "bad.jpg")
