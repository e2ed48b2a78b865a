"""All pairs of 64-bit hashes within a few bits of each other, without comparing all with all.

Multi-index hashing (Norouzi, Punjani and Fleet, "Fast exact search in Hamming space with
multi-index hashing", 2014): the bits are cut into `radius + AGREE` parts; of two hashes within the
radius at least AGREE parts are equal. So every choice of AGREE parts is a key, only hashes with an
equal key are compared, and no pair is missed.
"""

from collections.abc import Iterator
from itertools import combinations, pairwise

import numpy as np

from common.data.audit.hashes import BITS, distance

AGREE = 2  # parts of a key; with one the buckets are large, with three there are many keys
BUDGET = 400_000_000  # comparisons, some ten seconds; pictures that all look alike exceed it


def near_pairs(
    hashes: np.ndarray, radius: int, budget: int = BUDGET
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return `(P,)` left and `(P,)` right positions, left < right, and the radius searched.

    Equal hashes are chained: each is paired with the next of its kind, so that a thousand copies
    make a thousand pairs, not half a million; of different hashes, the first of each kind is
    compared.

    Args:
        hashes: `(N,)` uint64.
        radius: bits that may differ.
        budget: comparisons; where there would be more, a smaller radius is taken.
    """
    unique, first, kind = np.unique(hashes, return_index=True, return_inverse=True)
    chained = _chain(kind)
    while radius and _comparisons(unique, radius) > budget:
        radius //= 2
    left, right = _near(unique, radius) if radius else (first[:0], first[:0])
    ends = np.sort(np.stack([first[left], first[right]]), 0)
    left, right = np.concatenate([chained, ends], 1)
    return left, right, radius


def _chain(kind: np.ndarray) -> np.ndarray:
    """Return `(2, P)` pairs of neighbours among those of one kind."""
    order = np.argsort(kind, kind="stable")
    same = kind[order[1:]] == kind[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]])


def _keys(hashes: np.ndarray, radius: int) -> Iterator[np.ndarray]:
    """Yield the hashes with all but the bits of one choice of parts cleared."""
    cuts = np.linspace(0, BITS, radius + AGREE + 1).round().astype(int).tolist()
    masks = [(1 << high) - (1 << low) for low, high in pairwise(cuts)]
    for chosen in combinations(masks, AGREE):
        yield hashes & np.uint64(sum(chosen))


def _comparisons(hashes: np.ndarray, radius: int) -> int:
    """Return how many pairs share a key."""
    counts = (np.unique(key, return_counts=True)[1] for key in _keys(hashes, radius))
    return sum(int((count * (count - 1) // 2).sum()) for count in counts)


def _near(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    found = [_within(hashes, key, radius) for key in _keys(hashes, radius)]
    pairs = np.unique(np.concatenate(found, 1), axis=1)  # several keys find the same pair
    return pairs[0], pairs[1]


def _within(hashes: np.ndarray, key: np.ndarray, radius: int) -> np.ndarray:
    """Return `(2, P)` pairs within the radius among those of an equal key.

    Sorted by key, each hash is compared with the next, then with the one after that, and so on as
    long as any two share a key.
    """
    order = np.argsort(key, kind="stable")
    key, hashes = key[order], hashes[order]
    start, step, found = np.arange(len(key) - 1), 1, []
    while len(start := start[start + step < len(key)]):
        start = start[key[start] == key[start + step]]
        near = start[distance(hashes[start], hashes[start + step]) <= radius]
        found.append(np.sort(order[np.stack([near, near + step])], 0))
        step += 1
    return np.concatenate(found, 1) if found else np.empty((2, 0), np.int64)
