"""Laws of a detector: what one picture says does not depend on its neighbours or on the mode."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.detection.image_list import ImageList

from common.config import Config, DataConfig, ModelConfig
from common.errors import KitError
from common.keys import (
    BOXES,
    IMAGE,
    LABELS,
    LOSS_BOXES,
    LOSS_CENTRES,
    LOSS_CLASSES,
    SCORES,
)
from common.models.detector import make_detector

KINDS = ("fcos", "retinanet")
NAMES = ("classification", "bbox_regression", "bbox_ctrness")  # torchvision's, in our order
SMALL = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False}


def config_of(kind: str = "fcos", classes: int = 3, name: str = "test_resnet", **head) -> Config:
    return Config(
        competition="x",
        task="detection",
        classes=tuple("abcdef"[:classes]),
        metric="m",
        data=DataConfig(img_size=64),
        model=ModelConfig(
            name=name, decoder=kind, weights="none", decoder_arguments={**SMALL, **head}
        ),
    )


def detector_of(kind: str = "fcos", seed: int = 0, **rest):
    torch.manual_seed(seed)
    return make_detector(config_of(kind, **rest))


def batch_of(counts: list[int], side: int = 64, classes: int = 3, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (len(counts), 3, side, side), generator=generator)
    corners = [torch.rand(count, 2, generator=generator) * side * 0.6 for count in counts]
    return {
        IMAGE: image.to(torch.uint8),
        BOXES: [torch.cat([c, c + side * 0.3], 1) for c in corners],
        LABELS: [torch.randint(0, classes, (count,), generator=generator) for count in counts],
    }


def pick(batch: dict, rows: list[int]) -> dict:
    lists = {key: [batch[key][row] for row in rows] for key in (BOXES, LABELS)}
    return {IMAGE: batch[IMAGE][rows], **lists}


def losses(outputs: dict) -> dict:
    return {key: value for key, value in outputs.items() if key.startswith("loss")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra_levels", [False, True])
def test_a_picture_has_the_loss_and_boxes_it_has_alone(kind, extra_levels) -> None:
    model = detector_of(kind, extra_levels=extra_levels, score_thresh=0.0).eval()
    batch = batch_of([4, 0, 1, 7])
    together = model(batch)
    expected = {LOSS_CLASSES, LOSS_BOXES} | ({LOSS_CENTRES} if kind == "fcos" else set())
    assert set(losses(together)) == expected
    for row in range(4):
        alone = model(pick(batch, [row]))
        for key, value in losses(together).items():
            assert value.shape == (4,)
            assert value.dtype == torch.float32
            torch.testing.assert_close(value[row : row + 1], alone[key], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together[SCORES][row], alone[SCORES][0], rtol=1e-3, atol=1e-5)


def torchvision_losses(model, batch: dict) -> list[torch.Tensor]:
    """What torchvision itself says of a batch of 64 x 64."""
    network = model.network
    maps = network.backbone(model.normalise(batch[IMAGE]))
    shapes = [(64, 64)] * len(batch[IMAGE])
    anchors = network.anchor_generator(ImageList(batch[IMAGE].float(), shapes), maps)
    targets = [
        {"boxes": boxes, "labels": labels}
        for boxes, labels in zip(batch[BOXES], batch[LABELS], strict=True)
    ]
    counts = ([64, 16, 4],) if LOSS_CENTRES in model({**batch}) else ()
    found = network.compute_loss(targets, network.head(maps), anchors, *counts)
    return [found[name] for name in NAMES if name in found]


@pytest.mark.parametrize("kind", KINDS)
def test_before_training_the_loss_is_that_of_torchvision_per_picture(kind) -> None:
    model = detector_of(kind).eval()
    batch = batch_of([5])
    ours = losses(model(batch)).values()
    torch.testing.assert_close([v[0] for v in ours], torchvision_losses(model, batch))


def test_the_mean_of_the_first_training_batch_is_torchvisions_loss_of_the_batch() -> None:
    model = detector_of().eval()
    batch = batch_of([5, 0, 2])
    theirs = torchvision_losses(model, batch)
    for module in model.modules():  # all but the statistics of batch normalisation
        module.training = not isinstance(module, nn.BatchNorm2d)
    ours = losses(model(batch)).values()
    torch.testing.assert_close([value.mean() for value in ours], theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_both_modes_measure_alike_once_trained(kind) -> None:
    model = detector_of(kind)
    batch = batch_of([5, 0, 2])
    model.train()(batch)
    assert model.positives > 1
    model.eval()
    expected = losses(model(batch))
    for module in model.modules():
        module.training = not isinstance(module, nn.BatchNorm2d)
    for key, value in losses(model(batch)).items():  # the same batch leaves the mean as it is
        torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_in_eval_mode_changes_neither_modes_nor_buffers(kind) -> None:
    model = detector_of(kind).eval()
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model(batch_of([2, 0]))
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [[0, 3], [0, 0]])
def test_pictures_without_boxes_give_finite_losses_and_gradients(kind, counts) -> None:
    model = detector_of(kind).train()
    outputs = model(batch_of(counts))
    found = losses(outputs)
    assert BOXES not in outputs
    assert all(value.isfinite().all() for value in found.values())
    assert found[LOSS_BOXES][0] == 0
    assert found[LOSS_CLASSES][0] > 0
    sum(value.mean() for value in found.values()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert any(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_lie_in_the_picture_and_are_sorted_and_suppressed(kind) -> None:
    model = detector_of(kind, score_thresh=0.0, detections_per_img=40, nms_thresh=0.3).eval()
    batch = {IMAGE: batch_of([0, 0, 0])[IMAGE][..., :48]}
    outputs = model(batch)
    assert not losses(outputs)
    for boxes, labels, scores in zip(*(outputs[k] for k in (BOXES, LABELS, SCORES)), strict=True):
        assert 0 < len(boxes) <= 40
        assert boxes.min() >= 0
        assert boxes[:, 0::2].max() <= 48
        assert boxes[:, 1::2].max() <= 64
        assert (scores.diff() <= 0).all()
        assert set(labels.tolist()) <= {0, 1, 2}
        for label in range(3):
            own = boxes[labels == label]
            overlaps = torchvision.ops.box_iou(own, own).fill_diagonal_(0)
            assert (overlaps <= 0.3 + 1e-4).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_confidences_are_near_the_prior(kind) -> None:
    model = detector_of(kind).eval()
    maps = model.network.backbone(model.normalise(batch_of([0])[IMAGE]))
    scores = model.network.head(maps)["cls_logits"].sigmoid()
    assert 0.005 < scores.mean() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls_to_where_boxes_and_classes_come_out_again(kind) -> None:
    """Three coloured squares of three classes: learnt by heart, in their places."""
    model = detector_of(kind)
    image = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    places = torch.tensor([[4, 6, 24, 26], [34, 8, 58, 32], [20, 38, 44, 60]])
    for colour, (x1, y1, x2, y2) in enumerate(places.tolist()):
        image[0, colour, y1:y2, x1:x2] = 255
    boxes, labels = [places.float(), torch.zeros(0, 4)], [torch.arange(3), torch.arange(0)]
    batch = {IMAGE: image, BOXES: boxes, LABELS: labels}
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    first = 0.0
    for _ in range(70 if kind == "fcos" else 120):
        loss = sum(value.mean() for value in losses(model(batch)).values())
        first = first or loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.6 * first
    outputs = model.eval()({IMAGE: image})
    kept = outputs[SCORES][0] > 0.4
    found = dict(zip(outputs[LABELS][0][kept].tolist(), outputs[BOXES][0][kept], strict=True))
    assert set(found) == {0, 1, 2}
    for label, box in found.items():
        assert torchvision.ops.box_iou(box[None], places[label][None].float()) > 0.4
    assert (outputs[SCORES][1] < 0.4).all()


def test_autocast_leaves_losses_and_boxes_in_float32() -> None:
    model = detector_of(score_thresh=0.0).eval()
    batch = batch_of([3, 1])
    exact = model(batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(batch)
    for key, value in losses(half).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[key], rtol=0.05, atol=0.05)
    assert all(boxes.dtype == torch.float32 for boxes in half[BOXES])


def test_a_shift_of_the_picture_shifts_the_boxes() -> None:
    model = detector_of(score_thresh=0.0, nms_thresh=1.0, detections_per_img=5000).eval()
    image = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    image[..., 100:130, 96:120] = 200
    moved = image.roll((32, 64), (-2, -1))
    far = {IMAGE: torch.cat([image, moved])}
    # Group normalisation looks at the whole map, hence a border that stays empty.
    raw = model.network.head(model.network.backbone(model.normalise(far[IMAGE])))
    scores = raw["cls_logits"][:, : 32 * 32, 0].sigmoid().view(2, 32, 32)
    torch.testing.assert_close(scores[0, 8:20, 8:18], scores[1, 12:24, 16:26], rtol=1e-2, atol=1e-4)


def test_groups_are_the_timm_network_and_all_the_rest() -> None:
    model = detector_of()
    body, head = model.groups()
    assert len(body) + len(head) == len(list(model.parameters()))
    assert {id(p) for p in body} == {id(p) for p in model.network.backbone.body.parameters()}
    assert model.preprocessing["img_size"] == 64


@pytest.mark.parametrize("name", ["test_byobnet", "test_efficientnet", "test_convnext"])
def test_other_networks_and_strides_work(name: str) -> None:
    model = detector_of(name=name, strides=(4, 8, 16))
    assert model.network.backbone.levels == [4, 8, 16]
    assert all(value.isfinite().all() for value in losses(model(batch_of([2, 1]))).values())


def test_features_that_end_in_channels_are_turned() -> None:
    small = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 4, 8), "img_size": 64}
    config = config_of(name="swin_tiny_patch4_window7_224")
    model = make_detector(config.model_copy(update={"model.arguments": small})).eval()
    image = batch_of([0])[IMAGE].float()
    maps = model.network.backbone(image)
    assert [tuple(value.shape) for value in maps] == [(1, 64, s, s) for s in (8, 4, 2)]


def test_channels_last_changes_no_loss() -> None:
    config = config_of()
    torch.manual_seed(0)
    plain = make_detector(config).eval()
    last = make_detector(config.model_copy(update={"model.channels_last": True})).eval()
    last.load_state_dict(plain.state_dict())
    batch = batch_of([3, 0])
    for key, value in losses(plain(batch)).items():
        torch.testing.assert_close(last(batch)[key], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"model.decoder": "fcoss"}, "did you mean 'fcos'"),
        ({"model.name": "test_resnett"}, "did you mean 'test_resnet'"),
        ({"model.decoder_arguments.fpn_chanels": 64}, "did you mean 'fpn_channels'"),
        ({"model.decoder_arguments.fpn_channels": 48}, "multiple of 32"),
        ({"model.decoder_arguments.strides": (8, 64)}, r"without \[64\]"),
        ({"model.name": "test_vit"}, "features of strides"),
    ],
)
def test_what_cannot_be_built_says_why(update, message) -> None:
    with pytest.raises(KitError, match=message):
        make_detector(config_of().model_copy(update=update))


def test_training_without_boxes_is_refused() -> None:
    with pytest.raises(KitError, match="expected boxes"):
        detector_of().train()({IMAGE: batch_of([0])[IMAGE]})
