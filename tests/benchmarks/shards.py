"""Reading images in random order from tar shards, against files of their own.

Run `python tests/benchmarks/shards.py [rounds]`. Every round times both ways one after another, so
that what else the machine does cancels out. "cold": the system has forgotten what it knew of the
bytes (posix_fadvise); what it knows of names and folders stays, so that a disk of many million
files, or one behind a network, is worse for files than what is shown here.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from sklearn.datasets import load_sample_image

from common.data.files import find_files
from common.data.image import read_image
from common.data.shards import write_shards
from common.data.stored import read_stored

N, SIDE = 1000, 256  # images, of about 20 KB
PER_SHARD = 8e6  # bytes


def write_files(folder: Path) -> list[Path]:
    """Write random crops of two real photographs as JPEG."""
    rng = np.random.default_rng(0)
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    folder.mkdir()
    for number in range(N):
        photo = photos[number % 2]
        top, left = (int(rng.integers(0, free - SIDE)) for free in photo.shape[:2])
        crop = np.ascontiguousarray(photo[top : top + SIDE, left : left + SIDE, ::-1])
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), crop, (cv2.IMWRITE_JPEG_QUALITY, 90))
    return sorted(folder.iterdir())


def forget(folder: Path) -> None:
    """Drop the bytes of all files of a folder from the system's memory."""
    for file in folder.iterdir():
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(read: Callable[[str], object], paths: list[str]) -> float:
    started = time.perf_counter()
    for path in paths:
        read(path)
    return time.perf_counter() - started


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory(dir=".") as place:
        loose, packed = Path(place) / "loose", Path(place) / "packed"
        started = time.perf_counter()
        shards = write_shards(write_files(loose), packed, PER_SHARD)
        size = sum(shard.stat().st_size for shard in shards) / 1e6
        print(f"{N} images, {size:.1f} MB, in {len(shards)} shards", end="; ")
        print(f"made in {time.perf_counter() - started:.1f} s")
        find_files(packed, [".jpg"])  # imports what reads an index
        listed = {
            folder: seconds(lambda f: find_files(Path(f), [".jpg"]), [str(folder)])
            for folder in (loose, packed)
        }
        print("listed in " + ", ".join(f"{f.name} {t * 1e3:.1f} ms" for f, t in listed.items()))
        ways = {
            folder: list(map(str, find_files(folder, [".jpg"]).values()))
            for folder in (loose, packed)
        }
        for name, read, cold in (
            ("bytes, warm", read_stored, False),
            ("pixels, warm", read_image, False),
            ("bytes, cold", read_stored, True),
            ("pixels, cold", read_image, True),
        ):
            report(name, read, cold, ways, rounds)


def report(
    name: str, read: Callable[[str], object], cold: bool, ways: dict[Path, list[str]], rounds: int
) -> None:
    order = list(range(N))
    times: list[list[float]] = []
    for number in range(rounds + 1):  # the first does not count
        random.Random(number).shuffle(order)
        found = []
        for folder, paths in ways.items():
            if cold:
                forget(folder)
            found.append(seconds(read, [paths[place] for place in order]))
        times.append(found)
    ratios = sorted(loose / packed for loose, packed in times[1:])
    files, members = (
        statistics.median(column) / N * 1e6 for column in zip(*times[1:], strict=True)
    )
    print(
        f"{name:13} files {files:7.1f} us, shards {members:7.1f} us an image: "
        f"{statistics.median(ratios):.2f} x as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
