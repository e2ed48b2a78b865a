"""Views turn back exactly; a network that turns with its picture does not notice them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from common.config import PredictConfig
from common.data.transforms import TO_CV2
from common.errors import KitError
from common.inference.boxes import fuse
from common.inference.detection import detect_passes
from common.inference.predict import look
from common.inference.segmentation import Views
from common.inference.views import TTA, VIEWS, Pass, flip_boxes, passes_of, scaled
from common.keys import BOXES, IMAGE, LABELS, LOGITS, MASK_LOGITS, SCORES

views = st.sampled_from(sorted(VIEWS))
sides = st.integers(1, 9)
# Multiples of 1/64 pixel up to 1024, which floats add and subtract exactly.
boxes_in_64ths = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(0, 6), st.just(4)),
    elements=st.integers(0, 2**16).map(float),
).map(lambda boxes: boxes / 64)
SCALES = (1.0, 0.75, 1.5)
ALL = passes_of(PredictConfig(tta="d4", scales=SCALES))


@given(views, boxes_in_64ths, st.integers(1, 1024), st.integers(1, 1024))
def test_boxes_turn_back_exactly(name: str, boxes: np.ndarray, width: int, height: int) -> None:
    view = VIEWS[name]
    turned = view.boxes(boxes, (width, height))
    np.testing.assert_array_equal(view.inverse_boxes(turned, (width, height)), boxes)
    assert turned.dtype == boxes.dtype
    np.testing.assert_array_equal(
        flip_boxes(flip_boxes(boxes, (width, height), True, True), (width, height), True, True),
        boxes,
    )


@given(views, sides, sides)
def test_images_turn_back_exactly_and_as_albumentations_turns_them(name, width, height) -> None:
    images = torch.arange(2 * 3 * height * width).reshape(2, 3, height, width)
    turned = VIEWS[name].image(images)
    assert VIEWS[name].size((width, height)) == (turned.shape[-1], turned.shape[-2])
    assert torch.equal(VIEWS[name].inverse_image(turned), images)
    first = images[0].permute(1, 2, 0).numpy().astype(np.uint8)
    np.testing.assert_array_equal(turned[0].permute(1, 2, 0).numpy(), TO_CV2[name](first))


def test_the_views_are_eight_and_closed() -> None:
    image = torch.arange(9).reshape(3, 3)
    shown = {tuple(view.image(image).flatten().tolist()) for view in VIEWS.values()}
    twice = {
        tuple(second.image(first.image(image)).flatten().tolist())
        for first in VIEWS.values()
        for second in VIEWS.values()
    }
    assert len(shown) == 8
    assert twice == shown


@settings(max_examples=60, deadline=None)
@given(views, st.integers(4, 12), st.integers(4, 12), st.data())
def test_a_box_follows_its_pixels(name: str, width: int, height: int, data) -> None:
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    image = torch.zeros(height, width)
    image[y1:y2, x1:x2] = 1
    (turned,) = VIEWS[name].boxes([[x1, y1, x2, y2]], (width, height)).astype(int)
    seen = VIEWS[name].image(image)
    assert seen[turned[1] : turned[3], turned[0] : turned[2]].sum() == seen.sum() == image.sum()


class Brightest(nn.Module):
    """A detector of the white rectangle, whatever its size."""

    def forward(self, batch: dict) -> dict:
        boxes = []
        for image in batch[IMAGE]:
            rows, columns = torch.nonzero(image[0] > 127, as_tuple=True)
            low, high = [columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]
            boxes.append(torch.stack([*low, *high]).float()[None])
        ones = [torch.ones(1)] * len(boxes)
        return {BOXES: boxes, LABELS: [torch.ones(1).long()] * len(boxes), SCORES: ones}


def test_a_detector_finds_the_same_in_every_view_and_at_every_scale() -> None:
    images = torch.zeros(2, 3, 64, 128, dtype=torch.uint8)
    images[0, :, 8:16, 32:96] = 255
    images[1, :, 24:40, 8:24] = 255
    found = detect_passes(Brightest(), images, ALL)
    assert [len(own) for own in found] == [24, 24]
    for own, box in zip(found, ([32, 8, 96, 16], [8, 24, 24, 40]), strict=True):
        for one, prediction in zip(ALL, own, strict=True):
            atol = 0 if one.scale == 1 else 1 / one.scale  # a pixel of what the network sees
            np.testing.assert_allclose(prediction[BOXES], [box], atol=atol)
            assert prediction[BOXES].dtype == np.float32
        fused = fuse(own[:8], (128, 64))
        np.testing.assert_allclose(fused[BOXES], [box], atol=1e-4)
        np.testing.assert_allclose(fused[SCORES], [1], atol=1e-6)


class Channels(nn.Module):
    """Equivariant by construction: a 1 x 1 convolution, and its mean over the picture."""

    def forward(self, batch: dict) -> dict:
        image = batch[IMAGE].float() / 255
        logits = image * torch.tensor([3.0, -2, 1])[:, None, None] - 0.5
        return {MASK_LOGITS: logits, LOGITS: logits.mean((2, 3))}


@pytest.mark.parametrize("tta", TTA)
@pytest.mark.parametrize("shape", [(64, 64), (33, 70)])
def test_an_equivariant_network_gives_the_same_with_and_without_views(tta, shape) -> None:
    batch = {IMAGE: torch.randint(0, 256, (2, 3, *shape), dtype=torch.uint8)}
    passes = passes_of(PredictConfig(tta=tta))
    alone = Views(Channels(), [Pass()])(batch)[MASK_LOGITS]
    together = Views(Channels(), passes)(batch)[MASK_LOGITS]
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-6)
    for one in passes:
        torch.testing.assert_close(
            look(Channels(), batch, one)[LOGITS], look(Channels(), batch, Pass())[LOGITS]
        )


def test_scales_turn_back_to_the_size_and_keep_what_is_smooth() -> None:
    ramp = torch.linspace(0, 255, 96)[None, None, :, None].expand(1, 3, 96, 70)
    alone = Views(Channels(), [Pass()])({IMAGE: ramp})[MASK_LOGITS]
    for one in ALL:
        back = Views(Channels(), [one])({IMAGE: ramp})[MASK_LOGITS]
        assert back.shape == alone.shape
        assert (back - alone)[:, :, 3:-3].abs().max() < 1e-3  # the ends are levelled a little


def test_sides_are_multiples_that_networks_take_and_scale_one_touches_nothing() -> None:
    assert [scaled(70, scale) for scale in (1.0, 0.1, 1.5)] == [70, 32, 96]
    image = torch.randint(0, 256, (1, 3, 33, 70), dtype=torch.uint8)
    assert Pass().image(image) is image
    assert Pass(VIEWS["r90"], 1.0).image(image).dtype == torch.uint8


def test_the_first_pass_is_the_plain_one_and_smaller_sets_come_first() -> None:
    assert [len(passes_of(PredictConfig(tta=tta))) for tta in TTA] == [1, 2, 4, 8]
    for tta, names in TTA.items():
        passes = passes_of(PredictConfig(tta=tta, scales=SCALES))
        assert passes[0] == Pass(VIEWS["e"], 1.0)
        assert len(set(passes)) == len(names) * len(SCALES)
        assert TTA["d4"][: len(names)] == names


class Rigid(nn.Module):
    def forward(self, batch: dict) -> dict:
        if batch[IMAGE].shape[-1] == 64:
            raise RuntimeError("of another kind")
        raise AssertionError("Input width doesn't match model")


def test_a_network_of_one_size_is_told_from_a_bug() -> None:
    batch = {IMAGE: torch.zeros(1, 3, 64, 64)}
    with pytest.raises(KitError, match=r"refuses 96 x 96.*set predict.scales=1"):
        look(Rigid(), batch, Pass(scale=1.5))
    with pytest.raises(RuntimeError, match="of another kind"):
        look(Rigid(), batch, Pass(VIEWS["t"]))
