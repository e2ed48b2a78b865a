"""Do predictions fit their own targets better than those of other samples?"""

from typing import NamedTuple

import numpy as np

ROUNDS = 1999  # permutations


class Chance(NamedTuple):
    """How far above chance predictions are, in its standard deviations, and how likely that is."""

    deviations: float
    probability: float


def above_chance(
    predictions: np.ndarray, targets: np.ndarray, strata: np.ndarray, seed: int = 0
) -> Chance:
    """Compare the agreement of N predictions with that after targets are dealt out anew.

    A permutation test: exact whatever the shares of the classes, for if nothing is known of a
    target, any other could stand in its place.

    Args:
        predictions, targets: `(N, D)`; the agreement is the mean of their inner products.
        strata: `(N,)` targets stay among those of one number.
    """
    table = predictions @ targets.T
    rows = np.arange(len(table))
    agreement = table[rows, rows].mean()
    random = np.random.default_rng(seed)
    dealt = np.array([table[rows, deal(strata, random)].mean() for _ in range(ROUNDS)])
    spread = max(float(dealt.std()), 1e-12)
    # rounding must not make a draw of equals a win
    better = int((dealt >= agreement - 1e-9 * max(1.0, abs(agreement))).sum())
    return Chance(float(agreement - dealt.mean()) / spread, (better + 1) / (ROUNDS + 1))


def deal(strata: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a random permutation that leaves each position in its stratum."""
    order = np.empty(len(strata), np.int64)
    order[np.argsort(strata, kind="stable")] = np.lexsort((random.random(len(strata)), strata))
    return order
