"""What is logged of the optimiser."""

from itertools import pairwise

import pytest
import torch

from common.callbacks.half_precision import HalfPrecision
from common.callbacks.record import Record
from common.callbacks.schedule import Schedule, make_shape
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier


@pytest.fixture
def recorded(config, colours):
    """Return a function that trains with callbacks and gives learner and logger."""

    def train(*callbacks, overflow_at=()):
        torch.manual_seed(0)
        loaders = fold_loaders(colours, 0, config)
        learner = make_learner(make_classifier(config), *loaders, [], config)
        logger = RecordingLogger()
        learner.add_cbs([Record(logger, 2), *callbacks])
        steps = iter(range(100))

        def burst(gradient):
            return gradient * (float("inf") if next(steps) in overflow_at else 1.0)

        learner.model.body.fc.weight.register_hook(burst)
        learner.fit(2, 1e-3)
        return learner, logger

    return train


class Amp(HalfPrecision):
    """Scales so little that nothing overflows by itself."""

    def before_fit(self):
        super().before_fit()
        self.learn.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        self.weights = []

    def after_batch(self):
        self.weights.append(self.learn.model.body.fc.weight.detach().clone())


def test_the_loss_scale_and_skipped_steps_are_logged(recorded):
    amp = Amp("fp16")
    _, logger = recorded(amp, overflow_at={1, 3, 4})  # three batches an epoch
    scales = [value for _, value in logger.values("optimiser/loss_scale")]
    assert scales == [1024, 1024, 512, 512, 256, 128]  # halved after a step that overflowed
    assert [value for _, value in logger.values("optimiser/skipped_steps")] == [1, 2]
    assert amp.skipped_steps == 3
    before, skipped, stepped = amp.weights[:3]
    assert torch.equal(before, skipped)
    assert not torch.equal(skipped, stepped)


@pytest.mark.parametrize("callbacks", [[], [HalfPrecision("bf16")]])
def test_without_a_scaler_there_is_nothing_to_log(recorded, callbacks):
    _, logger = recorded(*callbacks)
    assert logger.values("optimiser/loss_scale") == []
    assert logger.values("optimiser/skipped_steps") == []


def test_every_group_logs_its_rate(recorded):
    learner, logger = recorded()
    for group in learner.opt.opt.param_groups:
        assert len(logger.values(f"optimiser/lr_{group['group_name']}")) == 6


def test_every_group_logs_all_its_values_once_and_again_where_they_change(recorded, config):
    learner, logger = recorded(Schedule(make_shape("one_cycle", 0.25)))
    for group in learner.opt.opt.param_groups:
        name = group["group_name"]
        for value, expected in (
            ("weight_decay", group["weight_decay"]), ("eps", group["eps"]),
            ("betas_1", group["betas"][1]),
        ):  # fmt: skip
            assert logger.values(f"optimiser/{value}_{name}") == [(1, expected)]
        momentum = [value for _, value in logger.values(f"optimiser/betas_0_{name}")]
        assert len(momentum) > 2
        assert all(one != other for one, other in pairwise(momentum))
    decays = {logger.values(f"optimiser/weight_decay_{g['group_name']}")[0][1]
              for g in learner.opt.opt.param_groups}  # fmt: skip
    assert decays == {0.0, config.train.weight_decay}
