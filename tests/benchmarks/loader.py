"""Images per second of one core, from 512 px JPEG to normalised 256 px crops.

Run `python tests/benchmarks/loader.py [rounds]`. Times are CPU times of this one-threaded process,
and every round times all recipes one after another, so that what else the machine does cancels out.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", NO_ALBUMENTATIONS_UPDATE="1")
sys.path.insert(0, str(Path(__file__).parents[2]))

import albumentations as A
import cv2
import numpy as np
import pandas as pd
import torch
from albumentations.pytorch import ToTensorV2
from sklearn.datasets import load_sample_image
from table import tell
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from common.data.cache import ResizedCache
from common.data.dataset import ImageDataset
from common.data.image import read_image
from common.data.loaders import make_loader
from common.data.transforms import compose
from common.keys import IMAGE
from common.models.normalise import Normalise

N, SIZE, BATCH = 32, 256, 32  # a round is one batch, so that recipes alternate quickly
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GOALS = (
    ("ours, half", "usual", 1.4),
    ("ours, half", "fastai", 2.8),
    ("ours, cached", "usual", 2.3),
    ("ours, cached", "fastai", 4.0),
)


def write_photos(folder: Path) -> list[Path]:
    """Write random crops of two real photographs as 512 px JPEG of about 70 KB."""
    rng = np.random.default_rng(0)
    photos = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    paths = [folder / f"{number:02d}.jpg" for number in range(N)]
    for number, path in enumerate(paths):
        photo, side = photos[number % 2], int(rng.integers(300, 420))
        top, left = (int(rng.integers(0, free - side)) for free in photo.shape[:2])
        crop = cv2.resize(photo[top : top + side, left : left + side], (512, 512))
        grain = rng.normal(0, 4, crop.shape)  # enlarging made it smoother than a photograph is
        noisy = (crop + grain).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(path), noisy[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 90))
    return paths


class UsualDataset(Dataset):
    """What notebooks do: OpenCV, Normalize and ToTensorV2 per image."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.transform = A.Compose([*crop_and_flip(), A.Normalize(MEAN, STD), ToTensorV2()])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = cv2.cvtColor(cv2.imread(str(self.paths[index])), cv2.COLOR_BGR2RGB)
        return self.transform(image=image)["image"], index


def crop_and_flip() -> list[A.BasicTransform]:
    return [A.RandomResizedCrop(size=(SIZE, SIZE)), A.HorizontalFlip()]


def ours(paths: list[Path], min_side: int = 0, read: Callable = read_image) -> Iterable[Tensor]:
    ids = [path.name for path in paths]
    frame = pd.DataFrame({"image_id": ids, "path": list(map(str, paths)), "label": 0})
    dataset = ImageDataset(frame, compose(crop_and_flip()), min_side=min_side, read=read)
    loader = make_loader(dataset, BATCH, shuffle=True, seed=0, num_workers=0)
    normalise = Normalise(MEAN, STD)
    return Mapped(loader, lambda batch: normalise(batch[IMAGE]))


def fastai_pipeline(paths: list[Path]) -> Iterable[Tensor]:
    from fastai.data.core import Datasets, TfmdDL
    from fastai.data.transforms import IntToFloatTensor, Normalize, ToTensor
    from fastai.vision.augment import FlipItem, RandomResizedCrop
    from fastai.vision.core import PILImage

    items = Datasets(paths, [[PILImage.create], [lambda path: 0]])
    loader = TfmdDL(
        items,
        bs=BATCH,
        shuffle=True,
        num_workers=0,
        after_item=[RandomResizedCrop(SIZE), FlipItem(0.5), ToTensor()],
        after_batch=[IntToFloatTensor(), Normalize.from_stats(MEAN, STD, cuda=False)],
    )
    return Mapped(loader, lambda batch: batch[0])


class Mapped:
    """An iterable that can be gone through again and again."""

    def __init__(self, batches: Iterable, function: Callable) -> None:
        self.batches, self.function = batches, function

    def __iter__(self):
        return map(self.function, self.batches)


def seconds(batches: Iterable[Tensor]) -> float:
    """Return the CPU time of one pass; every batch is looked at, so that nothing stays undone."""
    start, images = time.process_time(), 0
    for batch in batches:
        assert batch.dtype == torch.float32
        assert batch.shape[1:] == (3, SIZE, SIZE)
        images += len(batch)
    assert images == N
    return time.process_time() - start


def main(rounds: int) -> None:
    """Measure and print the table and the goals."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photos(Path(folder))
        size = sum(path.stat().st_size for path in paths) / N / 1024
        recipes = {
            "usual": Mapped(DataLoader(UsualDataset(paths), BATCH, shuffle=True), lambda b: b[0]),
            "fastai": fastai_pipeline(paths),
            "ours, full": ours(paths),
            "ours, half": ours(paths, min_side=SIZE),
            "ours, cached": ours(paths, read=ResizedCache(Path(folder) / "cache", 288)),
        }
        for batches in recipes.values():
            seconds(batches)  # fills the cache, imports what is imported late
        times: dict[str, list[float]] = {name: [] for name in recipes}
        for _ in range(rounds):
            for name, batches in recipes.items():
                times[name].append(seconds(batches))
    report(times, f"{N} JPEG of {size:.0f} KB, {rounds} rounds, one thread, CPU time")


def report(times: dict[str, list[float]], title: str) -> None:
    def ratio(name: str, other: str) -> float:
        return statistics.median(b / a for a, b in zip(times[name], times[other], strict=True))

    print(f"\n{title}\n\n{'recipe':<14}{'images/s':>10}{'x usual':>10}{'x fastai':>10}")
    for name, values in times.items():
        speed = N / statistics.median(values)
        print(
            f"{name:<14}{speed:>10.0f}{ratio(name, 'usual'):>10.2f}{ratio(name, 'fastai'):>10.2f}"
        )
    print()
    for name, other, goal in GOALS:
        what, unit = f"loader, 512 px JPEG to 256 px crop; {name}", "times as fast"
        tell(what, other, ratio(name, other), goal, at_least=True, unit=unit)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
