"""Samples to batches: order by seed and epoch, resumable in mid-epoch, workers that behave."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from common.data.division import Shard, shard_of
from common.data.sampling import draw, turns
from common.errors import KitError
from common.keys import BOXES, IMAGE, IMAGE_ID, LABELS

RAGGED = (BOXES, LABELS)  # of another length in each sample


class EpochSampler(Sampler[int]):
    """Positions 0 to n - 1 in an order that is a pure function of seed and epoch.

    Of several processes each gets its part of every batch, see `Shard`: together they read what one
    would, batch for batch.

    Args:
        n: number of samples.
        shuffle: if not, the order is 0, 1, 2, ...
        seed: of the order.
        weights: `(n,)`, by which some come several times and others not, see
            `common.data.sampling`; None: each once.
        shard: which of the positions are this process's; None: all.
    """

    def __init__(
        self,
        n: int,
        shuffle: bool,
        seed: int,
        weights: np.ndarray | None = None,
        shard: Shard | None = None,
    ) -> None:
        self.n, self.shuffle, self.seed, self.weights = n, shuffle, seed, weights
        self.epoch, self.start, self.shard = 0, 0, shard
        self.places = None if shard is None else shard.places(n)
        self.count = n if self.places is None else len(self.places)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Take the order of `epoch`, without the first `start` samples of this process."""
        self.epoch, self.start = epoch, min(start, self.count)

    def __iter__(self) -> Iterator[int]:
        order = self.order()
        chosen = order.tolist() if self.weights is None else turns(order)
        if self.places is not None:
            chosen = [chosen[place] for place in self.places.tolist()]
        return iter(chosen[self.start :])

    def __len__(self) -> int:
        return self.count - self.start

    def order(self) -> np.ndarray:
        """Return the whole epoch's `(n,)` positions.

        Sorted raw draws of Philox: those are the same in every version of numpy, a permutation's
        are not, and a run may be resumed under another version.
        """
        if not self.shuffle:
            return np.arange(self.n)
        generator = np.random.Philox(key=[self.seed % 2**64, self.epoch])
        if self.weights is not None:
            return draw(self.weights, generator.random_raw(2 * self.n + 1))
        draws = generator.random_raw(self.n)
        return np.argsort(draws, kind="stable")


class Loader(DataLoader):
    """torch's DataLoader; what a worker says about an image arrives as the one line it is."""

    def __iter__(self) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except KitError as error:
            raise KitError(str(error).rpartition("KitError: ")[2].strip()) from None


def make_loader(
    dataset: Dataset,
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    num_workers: int,
    drop_last: bool = False,
    pin_memory: bool | None = None,
    collate_fn: Callable[[list[Any]], Any] | None = None,
    weights: np.ndarray | None = None,
    whole_batches: bool = False,
) -> DataLoader:
    """Return a loader of batch dicts.

    Args:
        dataset: of dict samples; has a length.
        batch_size: samples per batch; of several processes each reads its part of them.
        shuffle: a new order every epoch; see `set_epoch`.
        seed: of the order. Global random states are not touched by iterating.
        num_workers: processes, kept alive between epochs; 0 reads in this one.
        drop_last: leave out a last batch that is not full.
        pin_memory: None: if there is a GPU.
        collate_fn: samples to a batch; None: `collate`.
        weights: `(n,)`, how often samples come if shuffled; None: each once an epoch.
        whole_batches: of several processes each reads batches of its own, in turn, so that what is
            in a batch does not depend on how many they are.
    """
    n = len(dataset)  # type: ignore[arg-type]
    if drop_last and n < batch_size:
        raise KitError(f"expected at least one batch of {batch_size}, got {n} samples; shrink it")
    shard = shard_of(batch_size, drop_last, whole_batches)
    return Loader(
        dataset,
        shard.own if shard else batch_size,
        sampler=EpochSampler(n, shuffle, seed, weights, shard),
        num_workers=num_workers,
        collate_fn=collate_fn or collate,
        drop_last=drop_last,
        pin_memory=torch.cuda.is_available() if pin_memory is None else pin_memory,
        persistent_workers=num_workers > 0,
        worker_init_fn=init_worker,
        generator=torch.Generator().manual_seed(seed),
    )


def batch_size_of(loader: DataLoader) -> int:
    """Return the samples of a batch, over all processes."""
    shard = getattr(loader.sampler, "shard", None)
    return shard.batch_size if shard else loader.batch_size or 1


def share_of(loader: DataLoader) -> float:
    """Return this process's samples of a full batch, as a multiple of an equal part of it."""
    shard = getattr(loader.sampler, "shard", None)
    return shard.own * shard.world.size / shard.batch_size if shard else 1.0


def with_batch_size(
    loader: DataLoader,
    batch_size: int,
    num_workers: int | None = None,
    whole: bool | None = None,
) -> DataLoader:
    """Return a loader of the same samples in the same order, in batches of another size.

    Args:
        num_workers: None: as many as it has.
        whole: whether each of several processes reads batches of its own; None: as the loader does.

    Raises:
        KitError: `make_loader` did not make it.
    """
    sampler = loader.sampler
    if not isinstance(sampler, EpochSampler):
        raise KitError(f"expected a loader of make_loader to change, got {type(loader).__name__}")
    if whole is None:
        whole = sampler.shard is not None and sampler.shard.whole
    return make_loader(
        loader.dataset,
        batch_size,
        shuffle=sampler.shuffle,
        seed=sampler.seed,
        num_workers=loader.num_workers if num_workers is None else num_workers,
        drop_last=loader.drop_last,
        pin_memory=loader.pin_memory,
        collate_fn=loader.collate_fn,
        weights=sampler.weights,
        whole_batches=whole,
    )


@contextmanager
def whole_batches(loader: DataLoader) -> Iterator[DataLoader]:
    """Give a loader of the epoch's batches of which each of several processes has some, uncut."""
    sampler = loader.sampler
    if not isinstance(sampler, EpochSampler) or sampler.shard is None:
        yield loader
        return
    own = with_batch_size(loader, batch_size_of(loader), whole=True)
    set_epoch(own, sampler.epoch)
    try:
        yield own
    finally:
        stop_workers(own)


def stop_workers(loader: DataLoader) -> None:
    """End the processes that outlive an epoch; the next iteration starts new ones.

    Else they last as long as the program, and are killed in its last moment with a complaint.
    """
    iterator = getattr(loader, "_iterator", None)
    if iterator is not None:
        loader._iterator = None
        iterator._shutdown_workers()


def set_epoch(loader: DataLoader, epoch: int, start_batch: int = 0) -> None:
    """Take order and augmentation of `epoch`, from batch `start_batch` on.

    `len(loader)` is then the number of batches that remain. The next call starts afresh. Loaders
    made elsewhere are told as far as they listen.

    Raises:
        KitError: `start_batch` is given for a loader that cannot skip.
    """
    sampler, dataset = getattr(loader, "sampler", None), getattr(loader, "dataset", None)
    if isinstance(sampler, EpochSampler):
        sampler.set_epoch(epoch, start_batch * (loader.batch_size or 1))
    elif start_batch:
        raise KitError(f"expected a loader of make_loader to skip {start_batch} batches")
    elif sampler is not None and hasattr(sampler, "set_epoch"):
        sampler.set_epoch(epoch)
    if dataset is not None and hasattr(dataset, "set_epoch"):
        dataset.set_epoch(epoch)


def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch dict: tensors stacked, numbers as a tensor, ids and boxes as lists of N.

    Raises:
        KitError: the images differ in size.
    """
    first = samples[0]
    for sample in samples:
        if sample[IMAGE].shape != first[IMAGE].shape:
            (a, b), (c, d) = first[IMAGE].shape[1:], sample[IMAGE].shape[1:]
            raise KitError(
                f"expected images of one size in a batch, got '{first[IMAGE_ID]}' of {a} x {b} and "
                f"'{sample[IMAGE_ID]}' of {c} x {d} (height x width); set data.img_size, "
                "or train.batch_size=1"
            )
    ragged = [key for key in RAGGED if key in first]
    if not ragged:
        return default_collate(list(samples))
    even = [{key: sample[key] for key in sample if key not in ragged} for sample in samples]
    return {**default_collate(even), **{key: [sample[key] for sample in samples] for key in ragged}}


def init_worker(number: int) -> None:
    """Keep a worker to one thread, and leave Ctrl-C to the process that trains and saves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the handler of the process that trains
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
