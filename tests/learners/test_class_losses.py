"""Losses of classifiers by config: each trains, and what does not fit is told."""

import numpy as np
import pytest
import torch

from common.data.build import fold_loaders
from common.errors import KitError
from common.keys import LABEL, LOGITS, LOSS, PREDICTION, TARGET
from common.learners.classification import classification_loss, make_learner
from common.learners.sanity.theory import theory_of
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier


@pytest.fixture
def many(config, colours):
    """Return a config and a frame with several labels per image."""
    hot = np.eye(3, dtype=np.float32)[colours.label]
    hot[:, 1] = 1
    frame = colours.assign(**{name: hot[:, i] for i, name in enumerate(config.classes)})
    update = {"multilabel": True, "metric": "roc_auc", "watch": ()}
    return config.model_copy(update=update), frame


def trained(config, frame):
    torch.manual_seed(config.train.seed)
    learner = make_learner(
        make_classifier(config), *fold_loaders(frame, 0, config), choose_metrics(config), config
    )
    learner.fit(1)
    return learner


@pytest.mark.parametrize("weighted", ["none", "balanced"])
@pytest.mark.parametrize("term", ["cross_entropy", "focal"])
def test_terms_of_one_class_train(config, colours, term, weighted):
    update = {"train.loss": {term: 1.0}, "train.class_weights": weighted}
    learner = trained(config.model_copy(update=update), colours)
    losses = learner.evaluation[LOSS]
    assert np.isfinite(losses).all()
    assert losses.shape == (12,)
    assert np.isfinite(learner.evaluation[f"{LOSS}/{term}"]).all()


@pytest.mark.parametrize("term", ["binary_cross_entropy", "focal", "asymmetric"])
def test_terms_of_several_labels_train(many, term):
    config, frame = many
    update = {"train.loss": {term: 1.0}, "train.class_weights": "balanced"}
    learner = trained(config.model_copy(update=update), frame)
    assert np.isfinite(learner.evaluation[LOSS]).all()


def test_balanced_weights_are_those_of_the_training_folds(config, colours):
    train = colours[(colours.fold == 0) | (colours.label != 2) | (colours.index < 18)]
    config = config.model_copy(update={"train.class_weights": "balanced"})
    evaluation = trained(config, train).evaluation
    counts = train[train.fold != 0].label.value_counts().sort_index().to_numpy()
    assert len(set(counts)) > 1
    weights = counts.sum() / (3 * counts)
    target = evaluation[TARGET]
    probs = evaluation[PREDICTION][np.arange(len(target)), target]
    np.testing.assert_allclose(evaluation[LOSS], -np.log(probs) * weights[target], rtol=1e-4)


def test_terms_add_up_by_their_weights(config):
    loss = classification_loss(
        config.model_copy(update={"train.loss": {"cross_entropy": 1.0, "focal": 0.5}})
    )
    outputs, batch = {LOGITS: torch.randn(4, 3)}, {LABEL: torch.tensor([0, 1, 2, 0])}
    total = loss(outputs, batch)
    parts = loss.samples
    torch.testing.assert_close(total, (parts["cross_entropy"] + 0.5 * parts["focal"]).mean())


@pytest.mark.parametrize("weighted", ["none", "balanced"])
def test_the_start_is_known_for_every_loss(many, weighted):
    config, _ = many
    labels = torch.tensor([[1.0, 1, 0], [0, 1, 0], [0, 1, 1], [0, 1, 0]])
    for name in ("binary_cross_entropy", "focal", "asymmetric"):
        update = {"train.loss": {name: 1.0}, "train.class_weights": weighted}
        (term,) = classification_loss(config.model_copy(update=update), labels).terms
        outputs, batch = {LOGITS: torch.zeros(4, 3)}, {LABEL: labels}
        theory = theory_of(term, outputs, batch)
        value = float(term.function(outputs[LOGITS], labels).mean())
        assert theory.value == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize(
    ("update", "telling"),
    [
        ({"train.loss": {"asymmetric": 1}}, r"'asymmetric' in train\.loss of one class per image"),
        ({"train.loss": {"focall": 1}}, "did you mean 'focal'"),
        ({"train.loss": {"focal": 1}, "train.label_smoothing": 0.1}, "label_smoothing=0"),
        ({"train.class_weights": "balanced"}, "expected training samples with labels"),
    ],
)
def test_what_does_not_fit_is_told(config, update, telling):
    with pytest.raises(KitError, match=telling):
        classification_loss(config.model_copy(update=update))
