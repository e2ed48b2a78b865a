"""Drawing rare classes more often: weights of samples, and an epoch's draw by them."""

from typing import Literal

import numpy as np

Sampling = Literal["none", "balanced", "sqrt"]
POWERS = {"balanced": -1.0, "sqrt": -0.5}  # of how often a class is there


class Turn(int):
    """A position that is drawn once more within an epoch; `turn` counts its earlier draws.

    A dataset that augments takes it for another augmentation; to all others it is an int.
    """

    turn: int

    def __new__(cls, position: int, turn: int) -> "Turn":
        """Return the position with its turn, 1 for the second draw."""
        made = super().__new__(cls, position)
        made.turn = turn
        return made

    def __reduce__(self) -> tuple[type, tuple[int, int]]:  # on its way to a worker
        return Turn, (int(self), self.turn)


def sample_weights(labels: np.ndarray, sampling: Sampling) -> np.ndarray | None:
    """Return how often samples are to be drawn, relatively; None for each once.

    `balanced` draws all classes alike (Shen et al. 2016), which helps rare ones and overfits the
    few pictures of the rarest; `sqrt` goes half the way (Mahajan et al. 2018). A sample with
    several labels has the mean of their weights, one without any that of a class of its own.

    Args:
        labels: `(N,)` classes or `(N, C)` labels of 0 and 1.

    Returns:
        `(N,)` float64.
    """
    if sampling == "none":
        return None
    if labels.ndim == 1:
        _, of_class, counts = np.unique(labels, return_inverse=True, return_counts=True)
        return counts.astype(np.float64)[of_class.reshape(-1)] ** POWERS[sampling]
    there = labels > 0.5
    there = np.column_stack([there, ~there.any(1)])
    weights = np.maximum(there.sum(0), 1).astype(np.float64) ** POWERS[sampling]
    return (there * weights).sum(1) / there.sum(1)


def draw(weights: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Return N positions in which each is as often as its weight says, rounded up or down.

    Systematic resampling (Kitagawa 1996) over an order that is random among equal weights, then
    shuffled: unlike in independent draws no position, and no class of a size of its own, comes
    more or less often by luck alone. Equal weights give each once.

    Args:
        weights: `(N,)`, of any sum above 0.
        raw: `(2 N + 1,)` uint64 random numbers, from which alone the draw follows.
    """
    n = len(weights)
    order = np.lexsort((raw[:n], weights))  # so that what weighs alike comes as often as it should
    ends = np.cumsum(weights[order] / weights.sum() * n)
    points = np.arange(n) + (float(raw[-1] >> np.uint64(12)) + 0.5) / 2.0**52
    places = np.searchsorted(ends, points, side="right").clip(max=n - 1)
    return order[places][np.argsort(raw[n : 2 * n], kind="stable")]


def turns(positions: np.ndarray) -> list[int]:
    """Return the positions as ints, those that were there before as a `Turn`."""
    seen: dict[int, int] = {}
    found: list[int] = []
    for position in positions.tolist():
        turn = seen.get(position, 0)
        seen[position] = turn + 1
        found.append(Turn(position, turn) if turn else position)
    return found
