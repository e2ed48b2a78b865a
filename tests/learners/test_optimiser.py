"""Optimisers by name: the same groups, exact resuming, slow weights that travel along."""

import io

import pytest
import torch
from timm.optim import Lookahead, list_optimizers
from torch import nn

from common.callbacks.lookahead import SLOW
from common.checkpoints import load_checkpoint
from common.errors import KitError
from common.learners.optimiser import UNFIT, check_optimiser, make_optimiser
from common.learners.recipe import technique_callbacks

from .conftest import SignalAt


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def optimiser_of(net: nn.Module, name: str):
    groups = [list(net[:2].parameters()), list(net[3].parameters())]
    return make_optimiser(groups, 1e-3, 0.05, 0.1, name=name)


def steps(net: nn.Module, optimiser, start: int, count: int) -> None:
    for number in range(start, start + count):
        generator = torch.Generator().manual_seed(number)
        net(torch.randn(5, 3, 4, 4, generator=generator)).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()


def through_a_file(state: dict) -> dict:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("before", ["", "lookahead_"])
def test_each_keeps_the_groups_and_goes_on_to_the_bit(before):
    names = [before + name for name in list_optimizers(exclude_filters=list(UNFIT))]
    count = 7 if before else 3  # the sixth begins the slow weights
    for name in names[:: 8 if before else 1]:
        check_optimiser(name)
        net = network()
        optimiser = optimiser_of(net, name)
        rates = {g["group_name"]: (g["lr"], g["weight_decay"]) for g in optimiser.opt.param_groups}
        assert rates == {
            "body0_decayed": (1e-4, 0.05),
            "body0_plain": (1e-4, 0),
            "head_decayed": (1e-3, 0.05),
            "head_plain": (1e-3, 0),
        }, name
        steps(net, optimiser, 0, count)
        kept = through_a_file({"net": net.state_dict(), "optimiser": optimiser.state_dict()})
        steps(net, optimiser, 7, count)
        other = network()
        other.load_state_dict(kept["net"])
        resumed = optimiser_of(other, name)
        resumed.load_state_dict(kept["optimiser"])
        steps(other, resumed, 7, count)
        for key, value in net.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), (name, key)


def test_the_usual_one_is_fused_adamw(config, learner_of):
    learner = learner_of(config)
    learner.create_opt()
    assert type(learner.opt.opt) is torch.optim.AdamW
    assert learner.opt.opt.defaults["fused"] is True


def test_looking_ahead_goes_back_half_the_way_to_where_it_was():
    """By hand: 5 fast steps, the slow weights begin at the sixth and draw back the twelfth."""
    nets = [network(), network()]
    plain, ahead = optimiser_of(nets[0], "sgdw"), optimiser_of(nets[1], "lookahead_sgdw")
    for start, count in ((0, 6), (6, 6)):
        slow = [p.detach().clone() for p in nets[0].parameters()]
        steps(nets[0], plain, start, count)
        steps(nets[1], ahead, start, count)
        for fast, slowly, origin in zip(*(n.parameters() for n in nets), slow, strict=True):
            expected = origin + (fast - origin) / 2 if start else fast
            torch.testing.assert_close(slowly, expected)


def test_a_training_that_looks_ahead_resumes_with_its_slow_weights(config, train):
    update = {"train.optimiser": "lookahead_adamw", "train.epochs": 5, "train.deterministic": True}
    config = config.model_copy(update=update)  # 15 steps
    straight = train(config, "straight")
    broken = train(config, "broken", SignalAt(8))
    assert broken.status == "interrupted"
    state = load_checkpoint(broken.last)["training"]["optimiser"]
    assert all(SLOW in one for one in state["state"].values())
    resumed = train(config, "broken", resume=True)
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]


def test_slow_weights_are_what_is_validated(config, learner_of):
    config = config.model_copy(update={"train.optimiser": "lookahead_adamw"})
    learner = learner_of(config)
    learner.add_cbs(technique_callbacks(config))
    learner.fit(3)  # 9 steps; the slow ones have begun
    optimiser = learner.opt.opt
    assert isinstance(optimiser, Lookahead)
    for group in optimiser.param_groups:
        for weight in group["params"]:
            slow = optimiser._base_optimizer.state[weight][SLOW]
            assert torch.equal(weight, slow)


@pytest.mark.parametrize(
    ("name", "near"),
    [("adamww", "'adamw'"), ("lookahead_adann", "'lookahead_adan'"), ("fusedadam", "'adam'")],
)
def test_what_is_none_is_named_with_the_nearest(config, learner_of, name, near):
    with pytest.raises(KitError, match="expected an optimiser of timm") as told:
        learner_of(config.model_copy(update={"train.optimiser": name}))
    assert f"did you mean {near}" in str(told.value)
