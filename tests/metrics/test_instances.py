"""Instance masks: agreement with torchmetrics' IoU and a plain loop, and laws at the extremes."""

import numpy as np
import pytest
import torch
from skimage.measure import label

from common.errors import KitError
from common.metrics.instances import (
    THRESHOLDS,
    instance_counts,
    instance_ious,
    instance_precision,
)


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A label map and one like it: shifted, with some instances missing."""
    random = np.random.default_rng(seed)
    truth = np.zeros((40, 50), int)
    for number in range(6):
        y, x = random.integers(0, 30, 2)
        truth[y : y + random.integers(4, 12), x : x + random.integers(4, 12)] = number + 1
    guess = np.roll(truth, random.integers(0, 2, 2), (0, 1))
    guess[guess == 3] = 0
    return truth, guess


def plain(truth: np.ndarray, guess: np.ndarray) -> float:
    scores = []
    for threshold in THRESHOLDS:
        taken, hits = set(), 0
        ids = [i for i in np.unique(guess) if i]
        for one in (i for i in np.unique(truth) if i):
            for other in ids:
                mine, theirs = truth == one, guess == other
                if other not in taken and (mine & theirs).sum() / (mine | theirs).sum() > threshold:
                    taken.add(other)
                    hits += 1
                    break
        actual = len(np.unique(truth)) - 1
        scores.append(hits / max(actual + len(ids) - hits, 1))
    return float(np.mean(scores))


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_plain_loop_whatever_the_labels_are_called(seed):
    truth, guess = draw(seed)
    assert instance_precision([truth], [guess]) == pytest.approx(plain(truth, guess))
    renamed = np.where(guess > 0, 1000 - guess, 0)
    assert instance_precision([truth], [renamed]) == pytest.approx(plain(truth, guess))


def test_ious_agree_with_torchmetrics():
    from torchmetrics.functional.classification import binary_jaccard_index

    truth, guess = draw(7)
    ious = instance_ious(truth, guess)
    ids, others = np.unique(truth)[1:], np.unique(guess)[1:]
    for row, one in enumerate(ids):
        for column, other in enumerate(others):
            masks = torch.from_numpy(guess == other).int(), torch.from_numpy(truth == one).int()
            assert ious[row, column] == pytest.approx(float(binary_jaccard_index(*masks)))


def test_perfect_empty_invented_and_missed():
    truth, _ = draw(3)
    nothing = np.zeros_like(truth)
    assert instance_precision([truth], [truth]) == 1
    assert instance_precision([nothing], [nothing]) == 1
    assert instance_precision([nothing], [nothing], empty=0.0) == 0
    assert instance_precision([nothing], [truth]) == 0
    assert instance_precision([truth], [nothing]) == 0
    assert instance_counts(truth, nothing)[0].tolist() == [0, 0, len(np.unique(truth)) - 1]


def test_two_that_were_joined_count_as_one_alarm_and_two_misses():
    truth = np.zeros((9, 9), int)
    truth[1:4, 1:4], truth[1:4, 5:8] = 1, 2
    joined = label(np.pad(np.ones((3, 7), int), ((1, 5), (1, 1))))
    assert instance_counts(truth, joined)[0].tolist() == [0, 1, 2]


def test_what_does_not_fit_is_refused():
    with pytest.raises(KitError, match="expected two label maps"):
        instance_ious(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(KitError, match="one per image"):
        instance_precision([np.zeros((2, 2))], [])
    with pytest.raises(KitError, match=r"from 0\.5 on"):
        instance_counts(*draw(0), thresholds=np.array([0.3]))
    with pytest.warns(UserWarning, match="empty"):
        assert np.isnan(instance_precision([], []))
