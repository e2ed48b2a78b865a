"""What is logged of the optimiser."""

import pytest
import torch

from common.callbacks.half_precision import HalfPrecision
from common.callbacks.record import Record
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
