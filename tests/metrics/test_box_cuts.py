"""Cuts are where boxes are as often right as was asked for."""

import math

import numpy as np
import pytest
from scipy.special import expit, logit

from common.keys import BOXES, LABELS, SCORES
from common.metrics.box_cuts import Cut, find_cuts

HERE, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60)


def pictures(score: np.ndarray, hit: np.ndarray, label: int = 0):
    """One found box each, on the true one or elsewhere."""
    targets = [{BOXES: np.array([HERE], float), LABELS: np.array([label])} for _ in score]
    found = [
        {
            BOXES: np.array([HERE if right else ELSEWHERE], float),
            LABELS: np.array([label]),
            SCORES: np.array([value]),
        }
        for value, right in zip(score, hit, strict=True)
    ]
    return targets, found


@pytest.mark.parametrize(("slope", "offset"), [(1, 0), (2, -1), (0.5, 1)])
@pytest.mark.parametrize("least", [0.7, 0.9])
def test_a_box_at_the_cut_is_right_with_that_probability(slope, offset, least):
    """Detectors whose scores are too bold, too shy or too high."""
    random = np.random.default_rng(0)
    right = random.uniform(0.02, 0.98, 4000)
    hit = random.random(4000) < right
    (cut,) = find_cuts(*pictures(expit(slope * logit(right) + offset), hit), 1, least)
    assert expit((logit(cut.sure) - offset) / slope) == pytest.approx(least, abs=0.03)
    assert expit((logit(cut.unsure) - offset) / slope) == pytest.approx(1 - least, abs=0.03)


def test_each_class_has_its_own_and_one_that_is_never_right_has_none():
    random = np.random.default_rng(1)
    right = random.uniform(0.02, 0.98, 2000)
    hit = random.random(2000) < right
    parts = [pictures(right, hit), pictures(right / 3, hit, 1), pictures(right[:9], hit[:9] * 0, 2)]
    targets, found = ([*a, *b, *c] for a, b, c in zip(*parts, strict=True))
    cuts = find_cuts(targets, found, 4, 0.8)
    assert cuts[1].sure == pytest.approx(cuts[0].sure / 3, abs=0.05)
    assert cuts[2].sure == math.inf  # nine wrong ones
    assert cuts[2].unsure == math.inf
    assert cuts[3] == Cut(0.0, math.inf)  # never found: whatever comes is unsure


def test_scores_that_tell_nothing_give_all_boxes_or_none():
    random = np.random.default_rng(2)
    often, seldom = random.random(400) < 0.9, random.random(400) < 0.5
    backwards = np.where(often, 0.3, 0.6)
    assert find_cuts(*pictures(backwards, often), 1, 0.8)[0] == Cut(0.0, 0.0)
    backwards = np.where(seldom, 0.3, 0.6)
    assert find_cuts(*pictures(backwards, seldom), 1, 0.8)[0] == Cut(0.0, math.inf)
    assert find_cuts(*pictures(backwards, np.ones(400, bool)), 1, 0.8)[0].sure == 0
