import numpy as np
import pytest

from common.data.audit.hashes import distance
from common.data.audit.neighbours import near_pairs


def plant(random: np.random.Generator, count: int, pairs: int, bits: int) -> np.ndarray:
    """Return random hashes, the last of which are the first with up to `bits` bits flipped."""
    hashes = random.integers(2**64, size=count, dtype=np.uint64)
    for place in range(pairs):
        flipped = random.choice(64, size=random.integers(bits + 1), replace=False)
        hashes[-1 - place] = hashes[place] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
    return hashes


@pytest.mark.parametrize("radius", [1, 4, 8])
def test_the_pairs_are_those_of_comparing_all_with_all(radius):
    random = np.random.default_rng(radius)
    centres = random.integers(2**64, size=40, dtype=np.uint64)
    flips = random.random((600, 64)) < 0.06  # crowded, so that many are near the radius
    masks = np.packbits(flips, axis=1).view(np.uint64)[:, 0]
    hashes = np.unique(random.choice(centres, 600) ^ masks)
    left, right, searched = near_pairs(hashes, radius)
    all_left, all_right = np.triu_indices(len(hashes), 1)
    near = distance(hashes[all_left], hashes[all_right]) <= radius
    assert searched == radius
    assert near.sum() > 5
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(found) == len(left)
    assert found == set(zip(all_left[near].tolist(), all_right[near].tolist(), strict=True))


def test_every_planted_pair_is_found_among_many():
    hashes = plant(np.random.default_rng(0), 20_000, 500, 8)
    left, right, _ = near_pairs(hashes, 8)
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    assert {(place, len(hashes) - 1 - place) for place in range(500)} <= found


def test_copies_are_chained_not_squared():
    left, right, _ = near_pairs(np.full(5000, 7, np.uint64), 8)
    assert len(left) == 4999
    assert sorted({*left.tolist(), *right.tolist()}) == list(range(5000))


def test_no_hashes_and_one_hash_have_no_pairs():
    for count in (0, 1):
        left, right, _ = near_pairs(np.zeros(count, np.uint64), 8)
        assert len(left) == len(right) == 0


def test_too_much_likeness_shrinks_the_radius_and_keeps_the_nearest():
    low = np.arange(4096, dtype=np.uint64)  # all alike but for 12 bits
    left, right, radius = near_pairs(low, 8, budget=200_000)
    assert radius < 8
    assert (distance(low[left], low[right]) <= radius).all()
