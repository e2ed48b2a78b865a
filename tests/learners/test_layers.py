"""Rates by layer and activations that are computed twice."""

import pytest
import torch
from timm.optim import param_groups_layer_decay

from common.errors import KitError
from common.keys import IMAGE, LOGITS
from common.learners.optimiser import layer_groups
from common.learners.recipe import technique_callbacks
from common.models.classifier import checkpoint_gradients, make_classifier


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"])
def test_rates_and_decays_are_timms(config, learner_of, name):
    update = {"model.name": name, "train.layer_decay": 0.7, "train.lr": 0.01}
    update |= {"data.img_size": 160} if name == "test_vit" else {}
    learner = learner_of(config.model_copy(update=update))
    learner.create_opt()
    groups = learner.opt.opt.param_groups
    ours = {id(p): (g["peak_lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    theirs = param_groups_layer_decay(learner.model.body, 0.01, layer_decay=0.7)
    found = 0
    for group in theirs:
        for parameter in group["params"]:
            rate, decay = ours[id(parameter)]
            assert rate == pytest.approx(0.01 * group["lr_scale"])
            assert decay == group["weight_decay"]
            found += 1
    assert found == len(ours) == len(list(learner.model.parameters()))
    assert len({rate for rate, _ in ours.values()}) > 3


def test_the_factor_of_the_body_is_on_top_and_the_head_keeps_its_rate(config, learner_of):
    update = {"train.layer_decay": 0.7, "train.body_lr_factor": 0.1, "train.lr": 0.01}
    learner = learner_of(config.model_copy(update=update))
    learner.create_opt()
    rates = {g["group_name"]: g["peak_lr"] for g in learner.opt.opt.param_groups}
    assert rates["head_decayed"] == 0.01
    layers = layer_groups(learner.model)
    for group in learner.opt.opt.param_groups[: learner.head_start]:
        first = group["params"][0]
        depth = next(i for i, layer in enumerate(layers) if any(p is first for p in layer))
        expected = 0.001 * 0.7 ** (len(layers) - 2 - depth)
        assert group["peak_lr"] == pytest.approx(expected)


@pytest.mark.parametrize("extra", [{}, {"model.head": "arcface", "model.pool": "gem"}])
def test_layers_hold_every_parameter_once_and_freeze_as_a_body(config, learner_of, extra):
    update = {"train.layer_decay": 0.7, "train.freeze_epochs": 1, "train.epochs": 1, **extra}
    config = config.model_copy(update=update)
    learner = learner_of(config)
    layers = layer_groups(learner.model)
    assert sorted(id(p) for layer in layers for p in layer) == sorted(
        id(p) for p in learner.model.parameters()
    )
    learner.add_cbs(technique_callbacks(config))
    before = {n: p.detach().clone() for n, p in learner.model.named_parameters()}
    head = {id(p) for p in learner.model.groups()[-1]}
    learner.fit(1)
    moved = {id(p) for n, p in learner.model.named_parameters() if not torch.equal(before[n], p)}
    assert head <= moved
    body = {id(p) for n, p in learner.model.named_parameters() if p.ndim > 1} - head
    assert not body & moved
    learner.fit(2)
    assert body <= {
        id(p) for n, p in learner.model.named_parameters() if not torch.equal(before[n], p)
    }


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_resnet"])
def test_gradients_are_the_same_and_fewer_activations_are_kept(config, name):
    image = torch.randint(0, 256, (2, 3, 160, 160), dtype=torch.uint8)
    found, kept = [], []
    for twice in (False, True):
        torch.manual_seed(0)
        update = {"model.name": name, "model.checkpoint_gradients": twice}
        model, sizes = make_classifier(config.model_copy(update=update)), []

        def note(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model({IMAGE: image})[LOGITS].square().mean()
        loss.backward()
        found.append([p.grad for p in model.parameters()])
        kept.append(sum(sizes))
    for plain, again in zip(*found, strict=True):
        torch.testing.assert_close(plain, again)
    assert kept[1] < 0.7 * kept[0]


def test_a_network_that_cannot_is_told(config):
    with pytest.raises(KitError, match=r"model\.checkpoint_gradients=false"):
        checkpoint_gradients(torch.nn.Identity())
    with pytest.raises(KitError, match=r"train\.body_lr_factor"):
        layer_groups(type("Model", (), {"body": torch.nn.Identity()})())
