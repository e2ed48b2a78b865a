"""The wheat metric agrees with a plain loop; laws of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES
from common.metrics import matching
from common.metrics.detection import (
    METRICS,
    cross_tuned_wheat_score,
    per_image_scores,
    tune_confidence,
    wheat_score,
)

from .boxes import NO_BOXES, draw

# Few corners and few scores, so that ties, duplicates and flat boxes are common.
corner = st.integers(0, 6)
box = st.tuples(corner, corner, corner, corner).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
scored = st.tuples(box, st.sampled_from([0.1, 0.25, 0.5, 0.9]))
folds = st.lists(st.tuples(st.lists(box, max_size=6), st.lists(scored, max_size=8)), max_size=5)


def overlap(one, other) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return width * height / (areas[0] + areas[1] - width * height)


def plain_score(truth: list, predicted: list, empty: float = 1.0) -> float:
    """The competition's text, word by word."""
    if not truth and not predicted:
        return empty
    total = 0.0
    for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75):
        left, hits = list(truth), 0
        for guess, _ in sorted(predicted, key=lambda pair: -pair[1]):
            best = max(left, key=lambda b: overlap(guess, b), default=None)
            if best is not None and overlap(guess, best) > threshold:
                left.remove(best)
                hits += 1
        total += hits / (hits + (len(predicted) - hits) + len(left))
    return total / 6


def as_arrays(fold) -> tuple[list, list]:
    targets = [np.array(truth, float).reshape(-1, 4) for truth, _ in fold]
    predictions = [
        {
            BOXES: np.array([b for b, _ in predicted], float).reshape(-1, 4),
            SCORES: np.array([s for _, s in predicted], float),
        }
        for _, predicted in fold
    ]
    return targets, predictions


@settings(max_examples=300, deadline=None)
@given(folds.filter(len))
def test_every_image_scores_as_by_a_plain_loop(fold) -> None:
    expected = [plain_score(*image) for image in fold]
    np.testing.assert_allclose(per_image_scores(*as_arrays(fold)), expected, atol=1e-12)
    assert wheat_score(*as_arrays(fold)) == pytest.approx(np.mean(expected), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(folds.filter(len), st.sampled_from([1, 7, 40, 2**16]))
def test_how_many_pairs_are_compared_at_once_does_not_matter(fold, cells: int) -> None:
    expected = per_image_scores(*as_arrays(fold))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "MAX_CELLS", cells)
        np.testing.assert_array_equal(per_image_scores(*as_arrays(fold)), expected)


@settings(max_examples=100, deadline=None)
@given(folds.filter(len), st.sampled_from([0.0, 1.0]))
def test_tuning_finds_what_filtering_and_scoring_anew_finds(fold, empty: float) -> None:
    grid = [0.0, 0.1, 0.2, 0.5, 0.6, 0.95]
    scores = []
    for threshold in grid:
        kept = [(truth, [p for p in found if p[1] >= threshold]) for truth, found in fold]
        scores.append(np.mean([plain_score(*image, empty) for image in kept]))
    threshold, score = tune_confidence(*as_arrays(fold), grid, empty)
    assert score == pytest.approx(max(scores), abs=1e-12)
    assert scores[grid.index(threshold)] == pytest.approx(score, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(folds.filter(len), st.integers(0, 1000))
def test_neither_the_order_of_images_nor_a_shift_nor_a_scale_changes_a_score(fold, seed) -> None:
    order = np.random.default_rng(seed).permutation(len(fold))
    targets, predictions = as_arrays([fold[i] for i in order])
    moved = [target * 4 + 256 for target in targets]
    guesses = [{BOXES: p[BOXES] * 4 + 256, SCORES: p[SCORES] / 2} for p in predictions]
    expected = per_image_scores(*as_arrays(fold))[order]
    np.testing.assert_array_equal(per_image_scores(moved, guesses), expected)


def test_a_hit_needs_a_larger_iou_and_the_best_truth_is_taken_first() -> None:
    truth = np.array([[0, 0, 10, 10]])
    for width, hits in ((5, 0), (6, 2), (7.5, 5), (10, 6)):  # IoU is width / 10
        guess = {BOXES: np.array([[0, 0, width, 10]]), SCORES: np.array([0.3])}
        assert wheat_score([truth], [guess]) == pytest.approx(hits / 6)
    # The surer one takes its best truth, and leaves the other to the less sure one.
    truths = np.array([[0, 0, 10, 10], [2, 0, 12, 10]])
    guess = {BOXES: truths[::-1].astype(float), SCORES: np.array([0.9, 0.8])}
    assert wheat_score([truths], [guess]) == 1


def test_images_without_truth_or_prediction() -> None:
    truth, some = np.array([[0, 0, 9, 9]]), {BOXES: np.ones((1, 4)), SCORES: np.ones(1)}
    none = {BOXES: NO_BOXES, SCORES: np.zeros(0)}
    targets, predictions = [NO_BOXES, truth, NO_BOXES], [some, none, none]
    np.testing.assert_array_equal(per_image_scores(targets, predictions), [0, 0, 1])
    assert wheat_score(targets, predictions) == pytest.approx(1 / 3)
    assert wheat_score(targets, predictions, empty=0.0) == 0
    np.testing.assert_array_equal(
        per_image_scores(targets, predictions, empty=None), [0, 0, np.nan]
    )
    assert wheat_score([NO_BOXES, truth], [none, {BOXES: truth, SCORES: [1]}], empty=None) == 1
    with pytest.warns(UserWarning, match="there is no image to score"):
        assert math.isnan(wheat_score([NO_BOXES], [none], empty=None))
    with pytest.warns(UserWarning, match="there is no image to score"):
        assert math.isnan(wheat_score([], []))


def test_a_confidence_under_which_wrong_boxes_lie_is_found() -> None:
    truth = np.array([[0, 0, 10, 10]])
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [70, 70, 80, 80]])
    prediction = {BOXES: boxes, SCORES: np.array([0.8, 0.45, 0.2])}
    threshold, score = tune_confidence([truth], [prediction])
    assert (threshold, score) == (pytest.approx(0.46), 1)
    assert wheat_score([truth], [prediction]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("key", [BOXES, SCORES])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_broken_prediction_gives_nan(key: str, value: float) -> None:
    targets, predictions = draw(3, seed=0)
    predictions[1][key].flat[0] = value
    for name in ("wheat_score", "coco_map"):
        assert math.isnan(METRICS[name].function(targets, predictions))
    assert np.isnan(per_image_scores(targets, predictions)).tolist() == [False, True, False]
    with pytest.warns(UserWarning, match="NaN predictions"):
        assert math.isnan(tune_confidence(targets, predictions)[1])


@pytest.mark.parametrize(
    ("targets", "predictions", "message"),
    [
        ([NO_BOXES], [], "a prediction per image, got 0 for 1"),
        ([np.zeros(4)], [{BOXES: NO_BOXES, SCORES: []}], r"truth boxes of shape \(K, 4\)"),
        ([NO_BOXES], [{BOXES: np.zeros((2, 5)), SCORES: [1, 1]}], "prediction boxes of shape"),
        ([NO_BOXES], [{BOXES: np.zeros((2, 4)), SCORES: [1]}], "as many scores as boxes"),
        ([np.full((1, 4), np.nan)], [{BOXES: NO_BOXES, SCORES: []}], "finite true boxes"),
    ],
)
def test_inputs_that_do_not_fit_say_what_was_expected(targets, predictions, message) -> None:
    with pytest.raises(KitError, match=message):
        wheat_score(targets, predictions)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_truth_scores_better_than_a_guess_and_a_guess_than_another_image(name: str) -> None:
    targets, guess = draw(12, seed=4)
    truth = [{**target, SCORES: np.ones(len(target[BOXES]))} for target in targets]
    scores = [METRICS[name].function(targets, p) for p in (truth, guess, guess[1:] + guess[:1])]
    assert scores[0] == pytest.approx(1)
    assert scores[0] > scores[1] > scores[2]


@settings(max_examples=60, deadline=None)
@given(folds.filter(lambda fold: len(fold) > 1), st.sampled_from([0.0, 1.0]))
def test_cross_tuning_scores_each_half_at_the_threshold_of_the_other(fold, empty: float) -> None:
    targets, predictions = as_arrays(fold)
    total = 0.0
    for half in (0, 1):
        threshold, _ = tune_confidence(targets[half::2], predictions[half::2], empty=empty)
        rest = targets[1 - half :: 2], predictions[1 - half :: 2]
        total += len(rest[0]) * wheat_score(*rest, empty=empty, confidence=threshold)
    found = cross_tuned_wheat_score(targets, predictions, empty=empty)
    assert found == pytest.approx(total / len(fold), abs=1e-12)
    assert found <= tune_confidence(targets, predictions, empty=empty)[1] + 1e-12


def test_cross_tuning_one_image_is_undefined() -> None:
    targets, predictions = draw(1, seed=0)
    with pytest.warns(UserWarning, match="fewer than two images"):
        assert math.isnan(cross_tuned_wheat_score(targets, predictions))


def test_a_confidence_drops_what_is_under_it() -> None:
    targets, predictions = draw(20, seed=2)
    kept = [
        {key: column[p[SCORES] >= 0.5] for key, column in p.items() if key != LABELS}
        for p in predictions
    ]
    expected = wheat_score(targets, kept)
    assert wheat_score(targets, predictions, confidence=0.5) == pytest.approx(expected)
    assert METRICS["wheat_score"].function(targets, predictions) == pytest.approx(expected)


def test_separated_classes_match_only_within_themselves() -> None:
    targets, predictions = draw(20, seed=3, num_classes=3)
    expected = np.zeros(20)
    for label in range(3):
        own = [
            [{key: column[item[LABELS] == label] for key, column in item.items()} for item in items]
            for items in (targets, predictions)
        ]
        expected += hits_of(*own)
    found = hits_of(matching.separate_classes(targets), matching.separate_classes(predictions))
    np.testing.assert_array_equal(found, expected)
    wrong = [{**prediction, LABELS: prediction[LABELS] + 1} for prediction in predictions]
    assert (
        hits_of(matching.separate_classes(targets), matching.separate_classes(wrong)).sum()
        < found.sum() / 2
    )


def hits_of(targets: list, predictions: list) -> np.ndarray:
    """Hits of every image at an IoU of a half."""
    boxes, scores = ([p[key] for p in predictions] for key in (BOXES, SCORES))
    found = matching.match_boxes([t[BOXES] for t in targets], boxes, scores, np.array([0.5]))
    image = np.repeat(np.arange(len(targets)), np.diff(found.starts))
    return np.bincount(image, found.hits[:, 0], minlength=len(targets))
