"""Which part of an epoch is whose, where several processes read it together."""

import hashlib
import platform
from typing import NamedTuple

import numpy as np
import pandas as pd

from common import distributed
from common.errors import KitError
from common.keys import IMAGE_ID


class Shard(NamedTuple):
    """One process's part of an epoch: a run of samples out of each batch of all processes.

    Nothing is padded and nothing is read twice; the last batch may give a process nothing.
    """

    world: distributed.World
    batch_size: int  # samples of a batch, over all processes
    drop_last: bool  # leave out a last batch that is not full
    whole: bool = False  # every batch is one process's alone, in turn

    @property
    def own(self) -> int:
        """Samples of a full batch in this process."""
        start, end = distributed.part(self.batch_size, self.world)
        return self.batch_size if self.whole else end - start

    def places(self, n: int) -> np.ndarray:
        """Return the places in the order of all `n` samples that are this process's."""
        rank, count = self.world
        until = n - n % self.batch_size if self.drop_last else n
        starts = range(0, until, self.batch_size)
        sizes = [min(self.batch_size, until - start) for start in starts]
        if self.whole:
            mine = list(zip(starts, sizes, strict=True))[rank::count]
            parts = [(start, start + size) for start, size in mine]
        else:
            cuts = [distributed.part(size, self.world) for size in sizes]
            parts = [(at + a, at + b) for at, (a, b) in zip(starts, cuts, strict=True)]
        return np.concatenate([np.arange(0), *(np.arange(*ends) for ends in parts)])


def shard_of(batch_size: int, drop_last: bool, whole: bool) -> Shard | None:
    """Return this process's part of an epoch; None where it is alone and has all.

    Raises:
        KitError: a batch has not a sample for each process.
    """
    world = distributed.World(distributed.rank(), distributed.size())
    if world.size == 1:
        return None
    if batch_size < world.size and not whole:
        raise KitError(
            f"expected a sample of each batch for each of {world.size} processes, got "
            f"train.batch_size={batch_size}, which is that of all of them together; raise it, or "
            "start fewer"
        )
    return Shard(world, batch_size, drop_last, whole)


def expect_same_images(frame: pd.DataFrame) -> None:
    """Compare the images of all processes: each node of a cluster may have files of its own.

    Raises:
        KitError: others than the first process's, or in another order.
    """
    if distributed.size() == 1:
        return
    ids = "\n".join(frame[IMAGE_ID].astype(str))
    own = (len(frame), hashlib.sha256(ids.encode()).hexdigest(), platform.node())
    first, *others = distributed.gather(own)
    for count, digest, node in others:
        if digest != first[1]:
            raise KitError(
                f"expected the same images for every process, got {first[0]} on '{first[2]}' and "
                f"{count} on '{node}', not all of the same names in the same order; copy the data "
                "anew, or let all read one folder"
            )
