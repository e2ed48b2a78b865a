"""Images in tar shards are to everything else what they are as files, bit for bit."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.data.audit.scan import scan_images
from common.data.box_dataset import BoxDataset
from common.data.cache import ResizedCache
from common.data.dataset import ImageDataset
from common.data.files import find_files
from common.data.image import image_size, read_image
from common.data.loaders import make_loader, set_epoch
from common.data.mapped import open_picture
from common.data.mask_dataset import MaskDataset
from common.data.masks import read_mask_file
from common.data.objects import read_objects
from common.data.shards import INDEX, write_shards
from common.data.stored import is_stored, member_of, open_stored, read_stored
from common.data.transforms import train_transforms
from common.errors import KitError

NAMES = ("a.jpg", "b.jpg", "c.png", "grey.png", "plain.tif", "lzw.tif", "large_lzw.tif", "ü.png")
SUFFIXES = (".jpg", ".png", ".tif")
PER_SHARD = 60_000  # bytes, so that there are several


def write_pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        pixels = random.integers(0, 256, (70 + number, 90, 3), dtype=np.uint8)
        options = {"compression": "tiff_lzw"} if "lzw" in name else {}
        Image.fromarray(pixels[..., 0] if name == "grey.png" else pixels).save(
            folder / name, **options
        )


@pytest.fixture(scope="module")
def loose(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("loose")
    write_pictures(folder)
    return folder


@pytest.fixture(scope="module")
def sharded(loose, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "train"
    assert len(write_shards(sorted(loose.iterdir()), folder, PER_SHARD)) > 2
    return folder


@pytest.fixture(scope="module")
def pair(loose, sharded) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same rows, of files and of shards."""
    return frame_of(find_files(loose, SUFFIXES)), frame_of(find_files(sharded, SUFFIXES))


def frame_of(files: dict[str, Path]) -> pd.DataFrame:
    boxes = [np.array([[5.0, 6.0, 40.0, 50.0]], np.float32)] * len(files)
    return pd.DataFrame({"image_id": list(files), "path": list(map(str, files.values()))}).assign(
        label=np.arange(len(files)), boxes=boxes, labels=[np.zeros(1, np.int64)] * len(files)
    )


def test_shards_hold_the_files_and_are_the_same_each_time(loose, sharded, tmp_path):
    files, members = find_files(loose, SUFFIXES), find_files(sharded, SUFFIXES)
    assert list(members) == list(files) == sorted(NAMES)
    for name, path in members.items():
        assert path.name == name
        assert read_stored(str(path)) == files[name].read_bytes()
        assert read_stored(path, 10) == files[name].read_bytes()[:10]
        assert image_size(path) == image_size(files[name])
    again = write_shards(sorted(loose.iterdir()), tmp_path / "train", PER_SHARD)
    for shard in again:
        assert shard.read_bytes() == (sharded / shard.name).read_bytes()


def digest(dataset) -> str:
    """A hash over all that the loader gives in two epochs."""
    found = hashlib.sha256()
    loader = make_loader(dataset, 3, shuffle=True, seed=1, num_workers=0)
    for epoch in range(2):
        set_epoch(loader, epoch)
        for batch in loader:
            for key in sorted(batch):
                value = batch[key]
                parts = value if isinstance(value, list) else [value]
                for part in parts:
                    data = part.numpy().tobytes() if isinstance(part, torch.Tensor) else str(part)
                    found.update(data if isinstance(data, bytes) else data.encode())
    return found.hexdigest()


def classes(frame, _):
    return ImageDataset(frame, train_transforms(32, "medium"), seed=3, min_side=32)


def boxes(frame, _):
    return BoxDataset(frame, 1, train_transforms(64, "medium", boxes=True), seed=3)


def masks(frame, folder):
    masks = frame.assign(mask=frame.path.where(frame.image_id == "grey.png", ""))
    masks = masks[masks.image_id != "grey.png"].reset_index(drop=True)
    return MaskDataset(masks, 32, transform=train_transforms(32, "flip"), jitter=True, seed=3)


@pytest.mark.parametrize("dataset", [classes, boxes, masks])
def test_samples_are_the_same_bit_for_bit(pair, dataset, tmp_path):
    assert len({digest(dataset(frame, tmp_path)) for frame in pair}) == 1


def test_everything_that_reads_a_file_reads_a_member(pair, tmp_path):
    scans = [scan_images(frame.path.tolist(), threads=1) for frame in pair]
    assert scans[0].modes == scans[1].modes
    assert scans[1].errors == {}
    np.testing.assert_array_equal(scans[0].hashes, scans[1].hashes)
    for file, member in zip(*(frame.path for frame in pair), strict=True):
        np.testing.assert_array_equal(open_picture(file), open_picture(member))
        assert isinstance(open_picture(member), np.memmap) == file.endswith("plain.tif")
        caches = [ResizedCache(tmp_path / side, 40) for side in ("files", "members")]
        for _ in range(2):
            np.testing.assert_array_equal(caches[0](file), caches[1](member))
        if file.endswith("grey.png"):
            np.testing.assert_array_equal(read_mask_file(file), read_mask_file(member))
            objects = [read_objects(path, read_mask_file(file)) for path in (file, member)]
            np.testing.assert_array_equal(*objects)
        assert is_stored(member)
        assert not is_stored(member.replace("train-0", "train-9"))
    assert len(list((tmp_path / "members").rglob("*.jpg"))) == len(NAMES)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_of_another_maker_needs_no_index(loose, tmp_path, format):
    long = "very_" * 25 + "long.png" if format != tarfile.USTAR_FORMAT else "long.png"
    data = (loose / "c.png").read_bytes()
    with tarfile.open(tmp_path / "x.tar", "w", format=format) as tar:
        for name in ("./a.png", "sub/b.png", long, "._a.png", "words.txt"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1e9
            tar.addfile(info, io.BytesIO(data))
    assert list(find_files(tmp_path, SUFFIXES)) == ["a.png", long]
    deep = find_files(tmp_path.parent, SUFFIXES, deep=True)
    assert f"{tmp_path.name}/sub/b.png" in deep
    for path in find_files(tmp_path, SUFFIXES, deep=True).values():
        assert read_stored(path) == data
    (tmp_path / "a.png").write_bytes(b"a file comes before a member")
    assert find_files(tmp_path, SUFFIXES)["a.png"] == tmp_path / "a.png"


@pytest.fixture
def copied(sharded, tmp_path) -> Path:
    folder = tmp_path / "train"
    folder.mkdir()
    for file in sharded.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_shard_that_is_cut_off_is_told_with_its_member(copied):
    path = find_files(copied, SUFFIXES)["plain.tif"]
    member = member_of(path)
    with Path(member.shard).open("r+b") as file:
        file.truncate(member.offset + 100)
    for read in (read_image, image_size, open_picture, read_mask_file):
        with pytest.raises(KitError, match=r"of 'plain.tif' at byte .*train-0\d+\.tar'.* got 100"):
            read(path)
    scan = scan_images([str(path)], threads=1)
    assert "cut off" in scan.errors[0]


def test_an_index_of_other_shards_is_told(copied):
    path = find_files(copied, SUFFIXES)["b.jpg"]
    shards = sorted(copied.glob("*.tar"))
    member = member_of(path)
    other = next(shard for shard in shards if str(shard) != member.shard)
    Path(member.shard).write_bytes(other.read_bytes() + bytes(PER_SHARD))
    for read in (read_image, open_stored):
        with pytest.raises(KitError, match=r"'b\.jpg' at byte .*write it again by kit shards"):
            read(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda folder: (folder / "train-00001.tar").unlink(),
            r"the shard '.*00001.tar', found none",
        ),
        (lambda folder: (folder / INDEX).write_bytes(b"x"), "an index of shards in .*delete it"),
        (
            lambda folder: (folder / "more.tar").write_bytes(b"x" * 2000),
            "uncompressed tar in .*more",
        ),
    ],
)
def test_what_is_wrong_with_shards_is_one_line(copied, spoil, said):
    spoil(copied)
    with pytest.raises(KitError, match=said):
        find_files(copied, SUFFIXES)


def test_damage_within_a_member_names_it(copied):
    path = find_files(copied, SUFFIXES)["c.png"]
    member = member_of(path)
    with Path(member.shard).open("r+b") as file:
        file.seek(member.offset + member.size // 2)
        file.write(b"damage")
    with pytest.raises(KitError, match=r"train-\d+\.tar!\d+\+\d+/c\.png', got a truncated or dam"):
        read_image(path)
