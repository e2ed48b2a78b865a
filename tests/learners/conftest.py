"""A small Learner on real image files."""

import pytest
import torch

from common.config import Config
from common.data.build import fold_loaders
from common.learners.classification import ClassificationLearner, make_learner
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier


@pytest.fixture
def learner_of(colours):
    """Return a function from a config to a fresh, seeded Learner."""

    def make(config: Config) -> ClassificationLearner:
        torch.manual_seed(config.train.seed)
        train, valid = fold_loaders(colours, 0, config)
        metrics = choose_metrics(config)
        return make_learner(make_classifier(config), train, valid, metrics, config)

    return make
