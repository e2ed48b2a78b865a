"""Activation maps point at what decided, cost no second pass and leave the model as it was."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from common.config import Config
from common.keys import BOXES, IMAGE, LOGITS, MASK_LOGITS
from common.models.cam import activation_maps
from common.models.cam_aims import aim_at_box, aim_at_class, aim_at_pixels
from common.models.cam_tap import NoMap, Tap, token_grid
from common.models.classifier import Classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter

SIDE, PATCH = 64, 16
FAMILIES = (
    *("test_resnet", "test_vit", "test_vit2", "test_convnext"),
    *("test_efficientnet", "test_mambaout", "test_nfnet"),
)


def classifier_of(name: str, **arguments) -> Classifier:
    torch.manual_seed(0)
    body = timm.create_model(name, num_classes=2, **arguments)
    return Classifier(body, {"mean": (0.5,) * 3, "std": (0.25,) * 3})


def striped(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Return noise with a patch of stripes whose direction alone is the class, and its corners."""
    random = np.random.default_rng(seed)
    images = random.integers(40, 168, (count, 3, SIDE, SIDE)).astype(np.uint8)
    labels = random.integers(0, 2, count)
    corners = random.integers(0, SIDE - PATCH + 1, (count, 2))
    stripes = np.tile((np.arange(PATCH) // 2 % 2 * 255).astype(np.uint8), (PATCH, 1))
    for image, label, (top, left) in zip(images, labels, corners, strict=True):
        patch = stripes.T if label else stripes
        image[:, top : top + PATCH, left : left + PATCH] = patch
    return torch.from_numpy(images), torch.from_numpy(labels), corners


def learn_stripes(model: Classifier) -> None:
    images, labels, _ = striped(512, seed=0)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for _ in range(3):
        for rows in torch.arange(512).split(32):
            loss = F.cross_entropy(model({IMAGE: images[rows]})[LOGITS], labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()


@pytest.mark.parametrize("name", ["test_byobnet"])
def test_the_maximum_lies_where_the_patch_is_that_alone_decides(name):
    model = classifier_of(name, output_stride=8)
    learn_stripes(model)
    images, labels, corners = striped(64, seed=1)
    with torch.no_grad():
        assert (model({IMAGE: images})[LOGITS].argmax(1) == labels).float().mean() > 0.95
    (maps,) = activation_maps(model, {IMAGE: images}, [aim_at_class(labels.tolist())])
    tops = np.array([np.unravel_index(heat.argmax(), heat.shape) for heat in maps])
    inside = (tops >= corners - 4) & (tops < corners + PATCH + 4)  # half a cell of the features
    assert inside.all(1).mean() >= 0.9


def test_behind_a_global_mean_it_is_grad_cam_as_written_down():
    model = classifier_of("test_resnet").eval()
    images, labels, _ = striped(3, seed=2)
    (maps,) = activation_maps(model, {IMAGE: images}, [aim_at_class(labels.tolist())])
    features = model.body.forward_features(model.normalise(images)).detach().requires_grad_()
    logits = model.body.forward_head(features)
    (gradient,) = torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), features)
    plane = (gradient.mean((2, 3), keepdim=True) * features).sum(1).relu().detach()
    expected = F.interpolate(plane[:, None], (SIDE, SIDE), mode="bilinear")[:, 0].numpy()
    np.testing.assert_allclose(np.stack(maps), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_of_the_model_changes(name):
    model = classifier_of(name, **({"img_size": SIDE} if "vit" in name else {})).train()
    model.normalise.eval()
    images, labels, _ = striped(2, seed=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes, random = [m.training for m in model.modules()], torch.get_rng_state()
    aims = [aim_at_class(labels.tolist()), aim_at_class((1 - labels).tolist())]
    one, other = activation_maps(model, {IMAGE: images}, aims)
    assert len(one) == len(other) == 2
    assert all(heat.shape == (SIDE, SIDE) and (heat >= 0).all() for heat in one + other)
    assert any(heat.max() > 0 for heat in one + other)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_network_without_places_says_so_and_is_left_as_it_was():
    model = classifier_of("test_resnet").train()
    images, labels, _ = striped(2, seed=4)
    with pytest.raises(NoMap, match="expected 4 places or more, got 1"):
        activation_maps(model, {IMAGE: images[..., :32, :32]}, [aim_at_class(labels.tolist())])
    assert model.training
    assert not model.features._forward_hooks
    with pytest.raises(NoMap, match="a model of the kit, got Linear"):
        activation_maps(nn.Linear(1, 1), {IMAGE: images}, [])


def test_tokens_lie_in_their_grid_with_or_without_those_ahead_of_them():
    class Body:
        num_prefix_tokens = 1

    assert token_grid(Body, 17) == (4, 4)
    assert token_grid(Body, 16) == (4, 4)
    with pytest.raises(NoMap, match="tokens in a square, got 15, 1 of them ahead"):
        token_grid(Body, 15)


def config_of(task: str, **model) -> Config:
    return Config(competition="x", task=task, classes=("one",), metric="m").model_copy(
        update={"model.name": "test_resnet", "model.weights": "none", **model}
    )


def test_pixels_are_explained_by_what_is_at_their_place():
    torch.manual_seed(0)
    decoder = {"decoder_channels": [32, 24, 16, 12, 8]}
    model = make_segmenter(config_of("segmentation", **{"model.decoder_arguments": decoder})).eval()
    images = torch.randint(0, 256, (2, 3, 150, 128), dtype=torch.uint8)  # not a multiple of 32
    truth = torch.zeros(2, 150, 128, dtype=torch.uint8)
    truth[:, :24, :24] = 1
    (maps,) = activation_maps(model, {IMAGE: images}, [aim_at_pixels([1, 1], truth)])
    assert all(heat.shape == (150, 128) for heat in maps)
    far = np.stack([heat[110:, 90:] for heat in maps]).mean()
    near = np.stack([heat[:40, :40] for heat in maps]).mean()
    assert near > 3 * far


def test_the_aim_at_pixels_is_their_mean_logit_and_the_whole_picture_where_there_are_none():
    logits = torch.arange(8.0).reshape(1, 2, 2, 2).requires_grad_()
    tap = Tap(nn.Identity())
    truth = torch.tensor([[[1, 0], [0, 1]]])
    assert aim_at_pixels([1], truth)({MASK_LOGITS: logits}, tap).values.item() == (4 + 7) / 2
    assert aim_at_pixels([1], truth * 0)({MASK_LOGITS: logits}, tap).values.item() == 5.5
    one = torch.tensor([[[[-1.0, 2.0], [3.0, -4.0]]]])
    assert aim_at_pixels([1])({MASK_LOGITS: one}, tap).values.item() == 2.5  # those above 0


@pytest.mark.parametrize("kind", ["fcos", "retinanet"])
def test_a_box_is_explained_by_what_is_inside_or_near_it(kind):
    torch.manual_seed(0)
    head = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False}
    values = {"model.decoder": kind, "model.decoder_arguments": head, "data.img_size": 128}
    model = make_detector(config_of("detection", **values)).eval()
    images = torch.randint(0, 256, (2, 3, 128, 128), dtype=torch.uint8)
    boxes = [[4.0, 4.0, 30.0, 30.0], [90.0, 90.0, 120.0, 124.0]]
    (maps,) = activation_maps(model, {IMAGE: images}, [aim_at_box([0, 0], boxes, 128)])
    for heat, (left, top, right, bottom) in zip(maps, boxes, strict=True):
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert top - 32 <= row <= bottom + 32
        assert left - 32 <= column <= right + 32
    with torch.no_grad():
        assert len(model({IMAGE: images})[BOXES]) == 2
