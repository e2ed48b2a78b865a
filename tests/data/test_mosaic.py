"""Boxes stay on what they showed: every object is painted in a colour of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.boxes import box_areas
from common.data.mosaic import mixup_boxes, mosaic
from common.errors import KitError

FILL = 114


def painted(number: int, width: int, height: int, random: np.random.Generator):
    """A sample with up to 9 boxes in a lattice; red tells the sample, green the box."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 2] = random.integers(1, 100, (height, width))
    image[..., 0] = number + 1
    xs, ys = np.linspace(0, width, 4).astype(int), np.linspace(0, height, 4).astype(int)
    cells = random.permutation(9)[: random.integers(0, 10)]
    boxes = [(xs[c % 3], ys[c // 3], xs[c % 3 + 1], ys[c // 3 + 1]) for c in cells.tolist()]
    for place, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2, 1] = place + 1
    labels = number * 10 + np.arange(1, len(boxes) + 1)
    return image, np.array(boxes, float).reshape(-1, 4), labels


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(8, 40),
    st.lists(st.tuples(st.integers(3, 60), st.integers(3, 60)), min_size=4, max_size=4),
)
def test_every_box_holds_what_it_held_and_all_of_it_that_is_seen(seed, size, shapes) -> None:
    random = np.random.default_rng(seed)
    samples = [painted(number, *shape, random) for number, shape in enumerate(shapes)]
    image, boxes, labels = mosaic(samples, size, random, min_visible=0.0, fill=FILL)
    assert image.shape == (size, size, 3)
    assert labels.dtype == np.int64
    kept = set(labels.tolist())
    assert len(kept) == len(labels) == len(boxes)
    for box, label in zip(boxes.astype(int), labels, strict=True):
        x1, y1, x2, y2 = box
        number, place = label // 10, label % 10
        own = (image[..., 0] == number + 1) & (image[..., 1] == place)
        assert own[y1:y2, x1:x2].all()
        assert own.sum() == (x2 - x1) * (y2 - y1) > 0
        source = samples[number]
        assert occurs(image[y1:y2, x1:x2], crop(source[0], source[1][place - 1]))
    for number, (_, own_boxes, own_labels) in enumerate(samples):
        for place, label in enumerate(own_labels[: len(own_boxes)], 1):
            seen = ((image[..., 0] == number + 1) & (image[..., 1] == place)).any()
            assert seen == (label in kept)


def crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box.astype(int)
    return image[y1:y2, x1:x2]


def occurs(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether the pixels of `part` lie side by side somewhere in `whole`."""
    windows = np.lib.stride_tricks.sliding_window_view(whole, part.shape)
    return bool((windows == part).all(axis=(-3, -2, -1)).any())


def test_the_same_generator_draws_the_same_and_another_another() -> None:
    samples = [painted(n, 50, 40, np.random.default_rng(n)) for n in range(4)]
    first, again, other = (mosaic(samples, 32, np.random.default_rng(s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_pictures_of_one_pixel_leave_the_fill_around_them() -> None:
    samples = [(np.full((1, 1, 3), n, np.uint8), np.zeros((0, 4)), np.zeros(0)) for n in range(4)]
    image, boxes, labels = mosaic(samples, 16, np.random.default_rng(0), fill=FILL)
    assert (image != FILL).all(axis=2).sum() == 4
    assert (boxes.shape, labels.shape) == ((0, 4), (0,))


@pytest.mark.parametrize("min_visible", [0.1, 0.5, 1.0])
def test_slivers_are_dropped(min_visible: float) -> None:
    random = np.random.default_rng(3)
    samples = [painted(n, 60, 60, random) for n in range(4)]
    count = 0
    for seed in range(30):
        _, every, _ = mosaic(samples, 40, np.random.default_rng(seed), min_visible=0)
        _, boxes, labels = mosaic(
            samples, 40, np.random.default_rng(seed), min_side=4, min_visible=min_visible
        )
        assert ((boxes[:, 2:] - boxes[:, :2]) >= 4).all()
        assert (box_areas(boxes) >= min_visible * 400).all()
        assert {tuple(box) for box in boxes} <= {tuple(box) for box in every}
        count += len(every) - len(labels)
    assert count > 0


def test_a_source_is_not_changed() -> None:
    samples = [painted(n, 30, 30, np.random.default_rng(n)) for n in range(4)]
    before = [[part.copy() for part in sample] for sample in samples]
    image, boxes, _ = mosaic(samples, 32, np.random.default_rng(0))
    image[:], boxes[:] = 0, -1
    mixup_boxes(samples[0], samples[1], 0.5)[1][:] = -1
    for sample, copy in zip(samples, before, strict=True):
        for part, old in zip(sample, copy, strict=True):
            np.testing.assert_array_equal(part, old)


@given(st.floats(0, 1), st.integers(0, 1000))
def test_mixup_blends_and_keeps_all_boxes(ratio: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = (painted(n, 12, 9, random) for n in range(2))
    image, boxes, labels = mixup_boxes(first, second, ratio)
    exact = ratio * first[0].astype(float) + (1 - ratio) * second[0]
    assert image.dtype == np.uint8
    assert np.abs(image - exact).max() <= 0.5 + 1e-3
    np.testing.assert_array_equal(boxes, np.concatenate([first[1], second[1]]))
    np.testing.assert_array_equal(labels, np.concatenate([first[2], second[2]]))
    np.testing.assert_array_equal(mixup_boxes(first, second, 1.0)[0], first[0])
    np.testing.assert_array_equal(mixup_boxes(first, second, 0.0)[0], second[0])


def test_what_cannot_be_mixed_says_so() -> None:
    random = np.random.default_rng(0)
    one, other = painted(0, 12, 9, random), painted(1, 9, 12, random)
    with pytest.raises(KitError, match="two images of one size"):
        mixup_boxes(one, other, 0.5)
    with pytest.raises(KitError, match=r"a ratio from 0 to 1, got 1\.5"):
        mixup_boxes(one, one, 1.5)
    with pytest.raises(KitError, match="expected four samples for a mosaic, got 3"):
        mosaic([one] * 3, 16, random)
