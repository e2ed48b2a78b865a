"""Laws of pooling, of margins and of several dropouts."""

import math

import pytest
import torch
import torch.nn.functional as F

from common.errors import KitError
from common.keys import EMBEDDING, IMAGE, LABEL, LOGITS, LOGITS_DROPPED
from common.learners.classification import classification_loss
from common.models.classifier import make_classifier
from common.models.gem import GeM
from common.models.heads import ArcFace, further


def model_of(config, **update):
    torch.manual_seed(0)
    return make_classifier(
        config.model_copy(update={f"model.{key}": value for key, value in update.items()})
    )


def batch(count: int = 4, side: int = 64) -> dict:
    image = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return {IMAGE: image, LABEL: torch.arange(count) % 3}


def test_gem_is_the_mean_at_one_and_nears_the_maximum():
    x = torch.rand(2, 5, 4, 4) + 0.1
    torch.testing.assert_close(GeM((2, 3), False, 1.0)(x), x.mean((2, 3)))
    torch.testing.assert_close(GeM((2, 3), False, 100.0)(x), x.amax((2, 3)), rtol=0.05, atol=0)
    steps = torch.stack([GeM((2, 3), False, p)(x) for p in (1.0, 2.0, 4.0, 8.0)])
    assert (steps.diff(dim=0) > 0).all()
    assert GeM((2, 3), True)(x).shape == (2, 5, 1, 1)


def test_gem_stays_finite_for_zeros_and_half_precision():
    x = torch.tensor([0.0, -1.0, 6e4]).view(1, 3, 1, 1).expand(1, 3, 2, 2).half().requires_grad_()
    pool = GeM((2, 3), False)
    pool(x).float().sum().backward()
    assert pool(x).isfinite().all()
    assert x.grad.isfinite().all()
    assert pool.p.grad.isfinite().all()


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_gem_of_one_is_the_network_as_it_is(config, name):
    plain, gem = model_of(config, name=name).eval(), model_of(config, name=name, pool="gem").eval()
    gem.load_state_dict(plain.state_dict(), strict=False)
    (pool,) = [part for part in gem.modules() if isinstance(part, GeM)]
    data = batch()
    outputs = gem(data)
    assert outputs[LOGITS].shape == (4, 3)
    assert not torch.allclose(outputs[LOGITS], plain(data)[LOGITS])
    features = gem.body.forward_features(gem.normalise(data[IMAGE]))
    pool.p.data.fill_(1.0)
    torch.testing.assert_close(pool(features).flatten(1), features.clamp_min(1e-6).mean((2, 3)))
    assert sum(part is pool.p for part in gem.groups()[0]) == 1


def test_the_maximum_is_timms(config):
    model, data = model_of(config, pool="max").eval(), batch()
    features = model.body.forward_features(model.normalise(data[IMAGE]))
    torch.testing.assert_close(model(data)[EMBEDDING], features.amax((2, 3)))


def test_a_margin_adds_to_the_angle_and_only_ever_lowers():
    angle = torch.linspace(0.01, math.pi - 0.01, 200)
    turned = further(angle.cos(), 0.3)
    near = angle < math.pi - 0.3
    torch.testing.assert_close(turned[near], (angle + 0.3).cos()[near], atol=1e-5, rtol=0)
    assert (turned < angle.cos()).all()
    assert (turned.diff() < 0).all()
    torch.testing.assert_close(further(angle.cos(), 0.0), angle.cos(), atol=1e-6, rtol=0)


def test_arcface_lowers_the_own_class_alone_and_is_finite_at_the_centre():
    head = ArcFace(4, 3, margin=0.4, scale=10)
    embedding = torch.cat([head.weight.detach(), -head.weight.detach()]).requires_grad_()
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    plain, trained = head(embedding), head(embedding, label)
    own = F.one_hot(label, 3).bool()
    assert torch.equal(plain[~own], trained[~own])
    assert (trained[own] < plain[own]).all()
    torch.testing.assert_close(plain[own][:3], torch.full((3,), 10.0))
    F.cross_entropy(trained, label).backward()
    assert embedding.grad.isfinite().all()
    assert head.weight.grad.isfinite().all()
    torch.testing.assert_close(head(5 * embedding), plain)


def test_the_nearest_subcentre_counts():
    head = ArcFace(4, 3, scale=1, subcentres=2)
    embedding = torch.randn(5, 4)
    cosine = F.cosine_similarity(embedding[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head(embedding), cosine.view(5, 3, 2).amax(2))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_nfnet"])
def test_the_label_is_used_in_training_alone(config, name):
    model, data = model_of(config, name=name, head="arcface"), batch()
    unknown, wrong = {IMAGE: data[IMAGE]}, {**data, LABEL: (data[LABEL] + 1) % 3}
    with torch.no_grad():
        trained = model(data)[LOGITS]
        assert not torch.equal(model(wrong)[LOGITS], trained)
        model.eval()
        assert torch.equal(model(data)[LOGITS], model(unknown)[LOGITS])
        assert torch.equal(model(wrong)[LOGITS], model(unknown)[LOGITS])
    body, head = model.groups()
    assert [p.shape[0] for p in head] == [3]
    assert len(body) + len(head) == len(list(model.parameters()))


def test_several_masks_differ_and_their_losses_are_averaged(config):
    update = {"model.dropouts": 4, "model.drop_rate": 0.5}
    model, data = make_classifier(config.model_copy(update=update)), batch()
    outputs = model(data)
    several = outputs[LOGITS_DROPPED]
    assert several.shape == (4, 4, 3)
    assert not torch.equal(several[:, 0], several[:, 1])
    torch.testing.assert_close(outputs[LOGITS], several.mean(1))
    loss = classification_loss(config.model_copy(update=update))
    each = [F.cross_entropy(several[:, m], data[LABEL], reduction="none") for m in range(4)]
    total = loss(outputs, data)
    torch.testing.assert_close(total, torch.stack(each).mean())
    assert loss.samples["cross_entropy"].shape == (4,)


def test_masks_are_gone_when_predicting(config):
    plain = model_of(config).eval()
    several = model_of(config, dropouts=4, drop_rate=0.5).eval()
    several.load_state_dict(plain.state_dict())
    data = batch()
    outputs = several(data)
    torch.testing.assert_close(outputs[LOGITS], plain(data)[LOGITS])
    assert outputs[LOGITS_DROPPED].shape == (4, 1, 3)


def test_margin_and_masks_go_together(config):
    model, data = model_of(config, head="arcface", dropouts=2, drop_rate=0.2), batch()
    assert model(data)[LOGITS_DROPPED].shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("update", "telling"),
    [
        ({"model.head": "arcface", "multilabel": True}, "set model.head=linear"),
        ({"model.head": "arcface", "train.mixup": 0.2}, r"expected train\.mixup=0"),
        ({"model.dropouts": 4}, r"expected model\.drop_rate above 0"),
        ({"model.name": "test_vit", "model.pool": "gem"}, r"model\.pool=avg"),
        ({"model.name": "test_resnet", "model.arguments": {"nonsense": 1}}, "model.arguments"),
    ],
)
def test_what_does_not_go_together_is_told(config, update, telling):
    with pytest.raises(KitError, match=telling):
        make_classifier(config.model_copy(update=update))
