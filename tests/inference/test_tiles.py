import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from common.errors import KitError
from common.inference.tiles import predict_tiled, spans
from common.keys import IMAGE, MASK_LOGITS
from common.models.segmenter import mask_probabilities

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (200, 168, 3), dtype=np.uint8)


class Convolutions(nn.Module):
    """A small U: down by 2, up again, and a skip; a pixel sees 11 around it."""

    def __init__(self, num_classes: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)
        self.last = nn.Conv2d(16, num_classes, 3, padding=1)

    def forward(self, batch: dict) -> dict:
        first = self.first(batch[IMAGE].float() / 255 - 0.5).relu()
        deep = self.up(self.deep(self.down(first).relu()).relu())
        return {MASK_LOGITS: 5 * self.last(torch.cat([first, deep], 1))}


def model_of(num_classes: int = 1) -> Convolutions:
    torch.manual_seed(0)
    return Convolutions(num_classes).eval()


def whole(model: nn.Module, image: np.ndarray) -> np.ndarray:
    batch = {IMAGE: torch.from_numpy(image.transpose(2, 0, 1).copy())[None]}
    with torch.inference_mode():
        return mask_probabilities(model(batch))[0].numpy()


@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize(("tile", "step"), [(64, 32), (96, 72), (64, 40)])
def test_tiles_with_margins_equal_the_whole(num_classes, tile, step):
    """Margins as wide as a pixel sees leave out all that the cut has changed."""
    model = model_of(num_classes)
    expected = whole(model, PICTURE)
    tiled = predict_tiled(model, PICTURE, mask_probabilities, tile, step, margin=12, batch_size=3)
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, expected, atol=2e-6)
    bare = predict_tiled(model, PICTURE, mask_probabilities, tile, tile, margin=0)
    assert abs(bare - expected).max() > 0.01


def test_a_pyramid_hides_what_margins_leave():
    model = model_of()
    expected = whole(model, PICTURE)
    side_by_side = predict_tiled(model, PICTURE, mask_probabilities, 64, 64, margin=0)
    pyramid = predict_tiled(model, PICTURE, mask_probabilities, 64, 32, margin=0)
    default = predict_tiled(model, PICTURE, mask_probabilities, 64)
    errors = [np.abs(tiled - expected).max() for tiled in (side_by_side, pyramid, default)]
    assert max(errors[1:]) < 0.2 * errors[0]


class Disagreeing(nn.Module):
    """Says the mean of the whole tile, another one everywhere: seams wherever tiles are put."""

    def forward(self, batch: dict) -> dict:
        image = batch[IMAGE].float() / 255
        return {MASK_LOGITS: image.mean((1, 2, 3), keepdim=True).expand(-1, 1, *image.shape[2:])}


def test_where_tiles_disagree_there_is_a_slope_and_no_step():
    ramp = np.broadcast_to(np.linspace(0, 255, 200).astype(np.uint8)[:, None, None], (200, 168, 3))

    def values(outputs: dict) -> torch.Tensor:
        return outputs[MASK_LOGITS][:, 0]

    blended = predict_tiled(Disagreeing(), ramp, values, tile=64, step=32, margin=0)
    steps = np.abs(np.diff(blended, axis=0)).max()
    hard = np.abs(np.diff(predict_tiled(Disagreeing(), ramp, values, 64, 64, 0), axis=0)).max()
    assert steps < 2 * 32 / 200 / 32
    assert hard > 10 * steps
    assert np.abs(np.diff(blended, axis=1)).max() < 1e-6


class Constant(nn.Module):
    def forward(self, batch: dict) -> dict:
        n, _, height, width = batch[IMAGE].shape
        return {MASK_LOGITS: torch.full((n, 1, height, width), 0.4)}


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile=st.integers(4, 48),
    share=st.floats(0, 1),
)
def test_a_constant_stays_one_at_any_size(size, tile, share) -> None:
    margin = int(share * (tile - 1) / 2)
    step = max(1, tile - 2 * margin)
    image = np.zeros((*size, 3), np.uint8)
    result = predict_tiled(Constant(), image, mask_probabilities, tile, step, margin)
    assert result.shape == size
    np.testing.assert_allclose(result, torch.sigmoid(torch.tensor(0.4)).item(), rtol=1e-5)


@settings(max_examples=100, deadline=None)
@given(length=st.integers(1, 400), tile=st.integers(1, 90), data=st.data())
def test_weights_sum_to_one_and_tiles_end_with_the_picture(length, tile, data) -> None:
    margin = data.draw(st.integers(0, (tile - 1) // 2))
    step = data.draw(st.integers(1, tile - 2 * margin))
    total = np.zeros(max(length, tile))
    found = spans(length, tile, step, margin)
    for span in found:
        total[span.start : span.start + tile] += span.weights
        inner = span.weights[margin : tile - margin]
        assert (inner > 0).all()
        if span.start > 0:
            assert (span.weights[:margin] == 0).all()
        if span.start + tile < length:
            assert (span.weights[tile - margin :] == 0).all()
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert found[-1].start + tile == max(length, tile)
    starts = [span.start for span in found]
    assert starts == sorted(set(starts))
    assert max(np.diff(starts), default=0) <= step


def test_grey_pictures_and_batches_make_no_difference():
    model = model_of()
    grey = np.repeat(PICTURE[..., :1], 3, 2)
    results = [
        predict_tiled(model, image, mask_probabilities, 64, batch_size=size)
        for image in (grey, PICTURE[..., 0])
        for size in (1, 7)
    ]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-6)


@pytest.mark.parametrize(("step", "margin"), [(0, 0), (65, 0), (33, 16), (8, -1)])
def test_tiles_that_leave_pixels_out_are_refused(step, margin):
    with pytest.raises(KitError, match="leave pixels out"):
        spans(100, 64, step, margin)
