"""Looks at training steps change no bit of what is trained, whatever else is on."""

import pytest
import torch
from fastai.callback.training import GradientClip

from common.callbacks.accumulate import Accumulate
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks import LOOKS
from common.callbacks.looks.gradients import Gradients
from common.callbacks.looks.steps import Listener
from common.callbacks.looks.timing import Timing
from common.callbacks.unfreeze import Unfreeze
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier
from common.runs import hash_weights

TECHNIQUES = {
    "plain": list,
    "fp16, clipped, frozen first": lambda: [
        HalfPrecision("fp16"),
        GradientClip(0.1),
        Unfreeze(1),
    ],
    "bf16, accumulated, averaged": lambda: [HalfPrecision("bf16"), Accumulate(2), Ema(0.9)],
}


@pytest.fixture
def trained(config, colours):
    """Return a function that trains with callbacks and gives the learner."""

    def train(*callbacks):
        seed_everything(config.train.seed, deterministic=True)
        changed = config.model_copy(update={"model.drop_rate": 0.3})
        loaders = fold_loaders(colours, 0, changed)
        learner = make_learner(make_classifier(changed), *loaders, [], changed)
        learner.add_cbs(callbacks)
        learner.fit(2, 1e-3)
        return learner

    yield train
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_weights_are_the_same_with_and_without(config, trained, name):
    often = config.model_copy(update={"log.gradients_every": 1})
    looks = [look(often, RecordingLogger()) for look in (Gradients, Timing)]
    plain, looked = trained(*TECHNIQUES[name]()), trained(*TECHNIQUES[name](), *looks)
    assert all(look.logger.of("figure") for look in looks)
    ours, theirs = (hash_weights(one.model.state_dict()) for one in (looked, plain))
    assert ours == theirs


def test_every_task_has_them():
    assert all(looks["gradients"] is Gradients for looks in LOOKS.values())
    assert all(looks["timing"] is Timing for looks in LOOKS.values())


def test_listeners_are_there_while_fitting_alone(config, trained):
    class Broken(Exception):
        pass

    def fail():
        raise Broken

    look = Timing(config, RecordingLogger())
    learner = trained(look)
    assert not any(isinstance(cb, Listener) for cb in learner.cbs)
    learner.model.register_forward_pre_hook(lambda *_: fail())
    for _ in range(2):  # an error ends a fit without its last event
        with pytest.raises(Broken):
            learner.fit(1)
    assert sum(isinstance(cb, Listener) for cb in learner.cbs) == 2
