"""Loading what has to be predicted whatever it is like: broken images are told apart, not raised.

Training and validation stay strict: there, a broken image is an error.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset

from common.data.loaders import collate, make_loader
from common.keys import IMAGE


class Broken(NamedTuple):
    """Stands for a sample that cannot be made."""

    row: int
    error: str


class Batch(NamedTuple):
    """What a loader of predictions yields: batch dicts, one for each size of images in it."""

    parts: list[dict[str, Any]]
    broken: list[Broken]

    @property
    def rows(self) -> int:
        """How many images it stands for."""
        return sum(len(part[IMAGE]) for part in self.parts) + len(self.broken)


class Tolerant(Dataset[dict[str, Any] | Broken]):
    """A dataset that gives `Broken` where another one raises."""

    def __init__(self, dataset: Dataset[dict[str, Any]]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Any] | Broken:
        """Return the sample, or what is wrong with it."""
        try:
            return self.dataset[index]
        except Exception as error:  # what a file can do to a decoder has no common base class
            return Broken(index, str(error) or type(error).__name__)


def collate_whole(samples: Sequence[dict[str, Any] | Broken]) -> Batch:
    """Return the samples that are whole, in their order, and what is wrong with the others."""
    by_size: dict[torch.Size, list[dict[str, Any]]] = {}
    broken = []
    for sample in samples:
        if isinstance(sample, Broken):
            broken.append(sample)
            continue
        shape = sample[IMAGE].shape
        if shape not in by_size:
            by_size[shape] = []
        by_size[shape].append(sample)
    return Batch([collate(alike) for alike in by_size.values()], broken)


def tolerant_loader(
    dataset: Dataset[dict[str, Any]], batch_size: int, num_workers: int
) -> DataLoader:
    """Return a loader of `Batch`, in the dataset's order; of several processes each has its own."""
    return make_loader(
        Tolerant(dataset),
        batch_size,
        shuffle=False,
        seed=0,
        num_workers=num_workers,
        collate_fn=collate_whole,
        whole_batches=True,
    )
