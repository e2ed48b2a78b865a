"""Planted faults are named, healthy networks are not accused, and the numbers are torch's own."""

import numpy as np
import pytest
import torch
from fastai.callback.training import GradientClip
from torch import nn

from common.callbacks.accumulate import Accumulate
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks.gradients import Gradients
from common.callbacks.looks.layers import (
    few,
    gradient_statistics,
    layer_of,
    merge_tensors,
    update_statistics,
)
from common.callbacks.unfreeze import Unfreeze
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier

# Of each architecture: image size, a layer before an activation, one at the end of a branch.
NETWORKS = {
    "test_resnet": (32, "layer2.0.bn1", "layer2.0.bn2", "layer2.0.conv1"),
    "test_vit": (160, "blocks.2.mlp.fc1", "blocks.2.mlp.fc2", "blocks.2.attn.qkv"),
    "test_convnext": (
        32,
        "stages.1.blocks.0.mlp.fc1",
        "stages.1.blocks.0.mlp.fc2",
        "stages.1.blocks.0.conv_dw",
    ),
}


@pytest.fixture
def looked(config, colours):
    """Return a function that trains a network with a fault and gives the look and its logger."""

    def train(name="test_resnet", plant=lambda body: None, *callbacks, epochs=2, lr=1e-3, **update):
        size = NETWORKS.get(name, (32,))[0]
        given = {"model.name": name, "data.img_size": size, "data.augment": "none", **update}
        changed = config.model_copy(update=given)
        torch.manual_seed(3)
        model = make_classifier(changed)
        plant(model.body)
        learner = make_learner(model, *fold_loaders(colours, 0, changed), [], changed)
        look = Gradients(changed, RecordingLogger())
        learner.add_cbs([look, *callbacks])
        learner.fit(epochs, lr)
        return look, learner

    return train


def dead(path):
    def plant(body):
        nn.init.constant_(body.get_submodule(path).bias, -1e3)

    return plant


def scaled(path, factor):
    def plant(body):
        hook = lambda module, inputs, output: output * factor  # noqa: E731
        body.get_submodule(path).register_forward_hook(hook)

    return plant


def heavy(path, factor):
    def plant(body):
        with torch.no_grad():
            body.get_submodule(path).weight.mul_(factor)

    return plant


def frozen(path):
    def plant(body):
        body.get_submodule(path).requires_grad_(False)

    return plant


@pytest.mark.parametrize("name", [*NETWORKS, "test_byobnet", "test_efficientnet"])
def test_healthy_networks_are_not_accused(looked, name, capsys):
    look, _ = looked(name)
    assert look.known == {}
    assert "gradients:" not in capsys.readouterr().out
    rows = look.logger.of("table", "train/gradient_layers")[-1]["rows"]
    assert {row["verdict"] for row in rows} == {""}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("word", ["dead", "vanishing", "exploding", "frozen"])
def test_a_planted_fault_is_named(looked, name, word, capsys):
    _, before_activation, end_of_branch, weight = NETWORKS[name]
    path, plant = {
        "dead": (before_activation, dead(before_activation)),
        "vanishing": (end_of_branch, scaled(end_of_branch, 1e-6)),
        "exploding": (weight, heavy(weight, 1e3)),
        "frozen": (weight, frozen(weight)),
    }[word]
    look, _ = looked(name, plant, epochs=1)
    assert look.known[f"body.{path}"].word == word
    printed = [line for line in capsys.readouterr().out.splitlines() if "gradients:" in line]
    assert any(f"gradients: {word}: " in line for line in printed)
    row = look.logger.of("table", "train/gradient_layers")[0]["rows"][0]
    assert row["layer"] in look.known
    block = path.rpartition(".")[0].partition(".mlp")[0].partition(".attn")[0]
    assert all(layer.startswith(f"body.{block}") for layer in look.known), look.known


def test_a_loss_that_does_not_reach_the_network_and_numbers_that_burst(looked):
    look, _ = looked("test_resnet", scaled("fc", 1e-7))
    assert look.known["every layer"].word == "vanishing"
    poison = lambda body: body.layer2[0].conv1.weight.register_hook(  # noqa: E731
        lambda gradient: gradient * float("inf")
    )
    look, _ = looked("test_resnet", poison, epochs=1)
    assert look.known["body.layer2.0.conv1"].reason == "gradient not finite"


def test_a_body_that_is_frozen_on_purpose_is_not_accused(looked):
    look, learner = looked("test_resnet", lambda body: None, Unfreeze(1))
    assert look.known == {}
    first, second = (call["rows"] for call in look.logger.of("table", "train/gradient_layers"))
    assert {row["verdict"] for row in first} == {"", "not trained"}
    assert {row["verdict"] for row in second} == {""}
    assert np.isnan(look.past[0][0]).any()
    assert np.isfinite(look.past[0][0]).any()
    body = learner.model.groups()[0]
    for parameter in body:
        parameter.requires_grad_(False)
    learner.fit(1, 1e-3)
    assert look.known == {}


def test_a_verdict_is_said_once(looked, capsys):
    looked("test_resnet", frozen("layer2.0.conv1"), epochs=3)
    assert capsys.readouterr().out.count("gradients: frozen: body.layer2.0.conv1 (") == 1


def test_statistics_are_those_of_each_tensor():
    gradients = [torch.randn(4, 5), None, torch.tensor([0.0, 0.0, 3.0, -4.0]), torch.ones(2, 3)]
    low, mean, high, norm, zeros = gradient_statistics(gradients)
    assert norm[1].isnan()
    for place in (0, 2, 3):
        gradient = gradients[place]
        assert (low[place], high[place]) == (gradient.min(), gradient.max())
        torch.testing.assert_close(mean[place], gradient.mean())
        torch.testing.assert_close(norm[place], gradient.norm())
    assert zeros[[0, 2, 3]].tolist() == [0, 0.5, 0]
    assert gradient_statistics([torch.tensor([1.0, torch.nan])])[3].item() == torch.inf
    assert gradient_statistics([None]).isnan().all()


def test_a_layer_sums_its_tensors_up():
    weight, bias = nn.Parameter(torch.randn(6, 7)), nn.Parameter(torch.randn(6))
    names = ["_orig_mod.body.fc.weight", "_orig_mod.body.fc.bias", "cls_token"]
    parameters = [weight, bias, nn.Parameter(torch.ones(3))]
    gradients = [torch.randn(6, 7), torch.randn(6), None]
    before = few(parameters)
    with torch.no_grad():
        weight += 0.1
    look = torch.cat([gradient_statistics(gradients), update_statistics(before, few(parameters))])
    layers = merge_tensors(names, [42, 6, 3], look[None].double().numpy())
    assert layers.names == ["body.fc", "cls_token"]
    whole = torch.cat([gradient.flatten() for gradient in gradients[:2]]).double()
    value = {name: column[0, 0] for name, column in layers.values.items()}
    assert value["mean"] == pytest.approx(whole.mean().item(), abs=1e-6)
    assert (value["low"], value["high"]) == (whole.min(), whole.max())
    assert value["norm"] == pytest.approx(whole.norm().item())
    assert value["update"] == pytest.approx(0.1 * 42**0.5, rel=1e-5)
    assert np.isnan(layers.values["norm"][1, 0])
    assert [layer_of(name) for name in names] == ["body.fc", "body.fc", "cls_token"]


def test_some_weights_tell_the_size_of_an_update():
    parameter = nn.Parameter(torch.randn(300, 400))
    before = few([parameter])
    assert before[0].numel() <= 16384
    change = torch.randn(300, 400) * 0.01
    with torch.no_grad():
        parameter += change
    update, weight = update_statistics(before, few([parameter]))[:, 0]
    assert update == pytest.approx(0.01, rel=0.05)
    assert weight == pytest.approx(1, rel=0.05)


def test_gradients_are_unscaled_whole_and_before_clipping(looked):
    still = {"epochs": 1, "lr": 1e-12}  # the weights stay, so that the gradients can be compared
    none = lambda body: None  # noqa: E731
    plain, _ = looked("test_convnext", **still)
    clipped, _ = looked("test_convnext", none, GradientClip(1e-3), **still)
    np.testing.assert_allclose(clipped.past[0], plain.past[0], rtol=1e-5)
    half, _ = looked("test_convnext", none, HalfPrecision("fp16"), **still)
    at = [plain.past[1].index(step) for step in half.past[1]]
    np.testing.assert_allclose(half.past[0], plain.past[0][:, at], rtol=0.05, atol=1e-3)
    pairs, _ = looked("test_convnext", none, Accumulate(2), **still)
    assert pairs.past[1] == [2, 3]  # a group's last batch each
    np.testing.assert_allclose(pairs.past[0][:, 1], plain.past[0][:, 1], rtol=1e-3)


def test_looking_is_rare_switchable_and_leaves_nothing_behind(looked):
    look, learner = looked(epochs=2, **{"train.batch_size": 2, "log.gradients_every": 5})
    assert look.past[1] == [5, 10, 17, 22]
    assert not [cb for cb in learner.cbs if type(cb).__name__ == "Listener"]
    off, _ = looked(epochs=1, **{"log.gradients_every": 0})
    assert off.logger.calls == []


def test_a_look_that_fails_at_a_step_is_left_out(looked, config, capsys):
    broken = lambda body: None  # noqa: E731
    look, learner = looked("test_resnet", broken, epochs=1)
    look.config = config.model_copy(update={"log.strict": False})
    look._look_at_update = lambda: 1 / 0
    learner.fit(2, 1e-3)
    error = capsys.readouterr().err
    assert error.count("look Gradients failed and is left out") == 1
    look.failed, look.config = False, config
    with pytest.raises(ZeroDivisionError):
        learner.fit(1, 1e-3)
