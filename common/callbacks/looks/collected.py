"""What is collected of samples and batches while an epoch runs, until its end is looked at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from common.callbacks.looks.ranking import Chosen, Ranked, apart, rank_batches

NO_SAMPLES = Ranked(np.empty(0), np.empty(0), np.empty(0, np.int64))


class Batch(NamedTuple):
    """A batch that may be shown: its place in the epoch and the samples that say most of it."""

    number: int
    badness: float  # mean over samples
    loss: float
    size: int
    members: np.ndarray  # a few of its samples, worst first


def worst_of(batch: Ranked, k: int) -> np.ndarray:
    """Return the rows of a batch's samples to show, what is not finite first."""
    chosen = batch.extremes(2 * k)
    return np.concatenate([chosen.broken, chosen.worst])[:k]


class TrainSteps:
    """Losses of the samples of training steps; they stay on the device until they are read."""

    def __init__(self) -> None:
        self.indices: list[Tensor] = []
        self.values: list[Tensor] = []  # (2, N): what ranks, and the loss

    def add(self, index: Tensor, ranked: Tensor, loss: Tensor) -> None:
        """Collect a step without waiting for it."""
        # Copies: a worker's tensor would keep a file open, a view a whole batch of pixels.
        self.indices.append(index.clone())
        self.values.append(torch.stack([ranked, loss]))

    def lend(self) -> list[tuple[Tensor, Tensor]]:
        """Return the steps on the CPU, for another process."""
        both = zip(self.indices, self.values, strict=True)
        return [(index.cpu(), values.cpu()) for index, values in both]

    def take(self, parts: Sequence[list[tuple[Tensor, Tensor]]]) -> None:
        """Take the steps that several processes made together, each with its samples."""
        steps = [zip(*step, strict=True) for step in zip(*parts, strict=True)]
        joined = [(torch.cat(index), torch.cat(values, 1)) for index, values in steps]
        self.indices = [index for index, _ in joined]
        self.values = [values for _, values in joined]

    @property
    def sizes(self) -> list[int]:
        """How many samples each step had."""
        return [len(index) for index in self.indices]

    def read(self) -> Ranked:
        """Return all samples in the order of their steps: the one wait for the device."""
        if not self.indices:
            return NO_SAMPLES
        values = torch.cat(self.values, 1).double().cpu().numpy()
        badness = np.where(np.isfinite(values[1]), values[0], np.nan)
        return Ranked(badness, values[1], torch.cat(self.indices).cpu().numpy())


class Album:
    """Which samples and batches of a validation are extreme so far, of all that it has seen.

    Args:
        k: see `Ranked.extremes`; memory is O(k) but for a count per batch.
    """

    def __init__(self, k: int) -> None:
        self.k = k
        self.samples = NO_SAMPLES
        self.batches: list[Batch] = []
        self.seen = 0

    def add(self, batch: Ranked) -> set[int]:
        """See a batch; return the indices of all samples that may be shown in the end."""
        self.samples = _reduce(self.samples.join(batch), self.k)
        mean = rank_batches(batch, [len(batch.number)])
        shown = batch.number[worst_of(batch, max(self.k // 2, 1))]
        values = float(mean.badness[0]), float(mean.loss[0])
        self.batches.append(Batch(self.seen, *values, len(batch.number), shown))
        self.seen += 1
        kept = np.unique(np.concatenate(choose_batches(self.batches)))
        self.batches = [self.batches[place] for place in kept.tolist()]
        members = {index for one in self.batches for index in one.members.tolist()}
        return members | set(self.samples.number.tolist())


def split_batches(samples: Ranked, sizes: Sequence[int], k: int) -> dict[str, Batch]:
    """Return the worst, the best and the first broken of batches of the next `sizes` samples.

    Their members are rows of `samples`.
    """
    means, starts = rank_batches(samples, sizes), np.cumsum([0, *sizes])
    found = {}
    chosen = apart(means.extremes(2), int(np.isfinite(means.badness).sum()))
    for name, number in (
        (name, int(places[0])) for name, places in chosen._asdict().items() if len(places)
    ):
        rows = np.arange(starts[number], starts[number + 1])
        shown = rows[worst_of(samples.take(rows), max(k // 2, 1))]
        values = float(means.badness[number]), float(means.loss[number])
        found[name] = Batch(number, *values, len(rows), shown)
    return found


def choose_batches(batches: Sequence[Batch]) -> Chosen:
    """Return the places of the worst, the best and the first batch that is not finite."""
    columns = zip(*((b.badness, b.loss, b.number) for b in batches), strict=True)
    return Ranked(*map(np.array, columns)).extremes(2)


def _reduce(samples: Ranked, k: int) -> Ranked:
    return samples.take(np.unique(np.concatenate(samples.extremes(k))))
