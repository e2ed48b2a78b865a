"""The mean of the last epochs' ends: exact, validated, resumed; it moves nothing by itself."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback as FastaiCallback
from torch import nn

from common.callbacks.norms import recompute_norms
from common.callbacks.schedule import hold, make_shape
from common.callbacks.swa import Swa
from common.checkpoints import load_checkpoint, random_state
from common.data.build import fold_loaders
from common.errors import KitError
from common.keys import IMAGE, LABEL
from common.learners.recipe import technique_callbacks
from common.learners.tasting import Ingredient, greedy, uniform
from common.metrics.base import Metric
from common.metrics.classification import log_loss
from common.models.classifier import make_classifier
from common.runs import hash_weights

from .conftest import SignalAt


class Ends(FastaiCallback):
    """Keeps the trained weights at the end of each epoch's steps, and what validates them."""

    order = 14

    def before_fit(self):
        self.kept, self.validated = [], []

    def before_validate(self):
        self.kept.append(copy.deepcopy(self.learn.model.state_dict()))

    def after_validate(self):
        self.validated.append(copy.deepcopy(self.learn.model.state_dict()))


def test_the_mean_of_the_epochs_after_the_start_validates_and_training_knows_nothing(
    config, learner_of
):
    config = config.model_copy(update={"model.drop_rate": 0.5, "data.augment": "medium"})
    plain, swa = learner_of(config), learner_of(config)
    plain.add_cbs(technique_callbacks(config))
    swa.add_cbs(technique_callbacks(config.model_copy(update={"train.swa_start": 0.4})))
    swa.add_cb(seen := Ends())
    torch.manual_seed(1)  # of dropout
    plain.fit(4)
    torch.manual_seed(1)
    swa.fit(4)
    assert hash_weights(plain.model.state_dict()) == hash_weights(swa.model.state_dict())
    for end, validated in zip(seen.kept[:1], seen.validated[:1], strict=True):
        assert hash_weights(end) == hash_weights(validated)  # 1 of 4 is before the start
    names = dict(swa.model.named_parameters())
    for name in names:  # the ends of epochs 2, 3 and 4
        expected = torch.stack([end[name] for end in seen.kept[1:]]).mean(0)
        torch.testing.assert_close(seen.validated[3][name], expected)
    assert any(not torch.equal(seen.validated[3][name], seen.kept[3][name]) for name in names)


def test_statistics_are_those_of_all_batches_and_no_random_number_is_lost(colours, config):
    torch.manual_seed(0)
    model = make_classifier(config)
    loader, _ = fold_loaders(colours, 0, config)
    batches = list(loader)
    assert len(batches) > 1
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    hook = norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.train()
    for batch in batches:
        model({IMAGE: batch[IMAGE], LABEL: batch[LABEL]})
    hook.remove()
    before, momentum = random_state(), norm.momentum
    model.eval()
    recompute_norms(model, loader, torch.device("cpu"))
    means = torch.stack([one.mean((0, 2, 3)) for one in seen]).mean(0)
    torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-5)
    assert (norm.momentum, model.training) == (momentum, False)
    assert str(random_state()) == str(before)


def test_sessions_end_in_the_same_average_and_keep_the_same_best_epochs(config, train):
    update = {"train.epochs": 3, "train.deterministic": True, "model.drop_rate": 0.3}
    update |= {"train.swa_start": 0.4, "train.swa_lr": 0.3, "train.keep_best": 2}
    config = config.model_copy(update={**update, "metric": "log_loss", "watch": ()})
    straight = train(config, "straight")
    broken = train(config, "broken", SignalAt(7))  # 3 batches an epoch: within the third
    assert broken.status == "interrupted"
    resumed = train(config, "broken", resume=True)
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]
    for files in zip(
        (straight.last, *straight.kept()), (resumed.last, *resumed.kept()), strict=True
    ):
        one, other = (load_checkpoint(file) for file in files)
        assert hash_weights(one["weights"]) == hash_weights(other["weights"])
    assert resumed.summary["metrics"] == straight.summary["metrics"]
    lines = (straight.folder / "metrics.jsonl").read_text().splitlines()
    losses = [v["valid/log_loss"] for v in map(json.loads, lines) if "valid/log_loss" in v]
    assert len(losses) == 3
    best = sorted(np.argsort(losses, kind="stable")[:2] + 1)
    assert [path.name for path in straight.kept()] == [f"epoch_{n:04d}.pt" for n in best]


def test_an_epoch_that_was_saved_while_it_was_validated_counts_once(config, learner_of):
    learner = learner_of(config)
    learner.add_cb(swa := Swa(0.1))
    learner.fit(2)
    before = copy.deepcopy(swa.saved_state())
    swa.restore_state(before)
    learner.epoch = 1
    swa.after_train()
    assert int(swa.average.n_averaged) == 2
    assert hash_weights(swa.saved_state()["average"]) == hash_weights(before["average"])


def test_the_rate_is_led_to_its_share_and_held():
    shape, held = make_shape("one_cycle", 0.25), hold(make_shape("one_cycle", 0.25), 0.7, 0.2)
    for done in (0.0, 0.3, 0.69):
        assert held(done) == shape(done)
    assert held(0.7)[0] == pytest.approx(shape(0.7)[0])
    assert [held(done)[0] for done in (0.76, 0.9, 1.0)] == pytest.approx([0.2] * 3)


@pytest.mark.parametrize(
    ("update", "telling"),
    [
        ({"train.ema_decay": 0.9, "train.swa_start": 0.5}, "one average of weights"),
        ({"train.swa_lr": 0.5}, "swa_start with"),
    ],
)
def test_averages_that_make_no_sense_are_refused(config, update, telling):
    with pytest.raises(KitError, match=telling):
        technique_callbacks(config.model_copy(update=update))


def test_a_greedy_soup_leaves_out_who_makes_it_worse(config, learner_of):
    learner = learner_of(config)
    learner.fit(2, 1e-2)
    good = {key: value.clone() for key, value in learner.model.state_dict().items()}
    near = {k: v + 1e-3 if v.is_floating_point() else v for k, v in good.items()}
    torch.manual_seed(9)
    bad = make_classifier(config).state_dict()
    loss = Metric("log_loss", log_loss, maximise=False)
    contents = {
        Ingredient(name, Path(name), -score): {"weights": weights}
        for name, weights, score in (("bad", bad, 3.0), ("near", near, 0.2), ("good", good, 0.1))
    }
    learner.cbs.filter(lambda cb: hasattr(cb, "scored"))[0].scored = [loss]
    soup, alone = greedy(learner, contents, loss), uniform(learner, contents, loss)
    names = [one.name for one in soup.members]
    assert names[0] == "good"
    assert "bad" not in names
    assert soup.score > alone.score
    assert soup.score == -soup.content["scores"]["valid/log_loss"]
