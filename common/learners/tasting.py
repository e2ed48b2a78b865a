"""Soups of a fold's checkpoints, validated by the fold's own learner."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.callbacks.norms import recompute_norms
from common.callbacks.record import valid_scores
from common.data.loaders import set_epoch
from common.learners.base import Learner
from common.metrics.base import Metric
from common.soup import mean_weights

Content = dict[str, Any]  # of a checkpoint


class Ingredient(NamedTuple):
    """A checkpoint of one epoch of a run."""

    name: str
    path: Path
    score: float  # of the competition's metric, the more the better


class Soup(NamedTuple):
    """Averaged weights, and what the fold's validation says of them."""

    members: list[Ingredient]
    score: float
    content: Content  # weights, thresholds, scores


def uniform(learner: Learner, contents: Mapping[Ingredient, Content], metric: Metric) -> Soup:
    """Return the soup of all."""
    return taste(learner, list(contents), contents, metric)


def greedy(learner: Learner, contents: Mapping[Ingredient, Content], metric: Metric) -> Soup:
    """Return the soup of the best one and of those that better it, tried from the best on.

    The greedy soup of Wortsman et al. 2022; one that changes nothing stays out.
    """
    ranked = sorted(contents, key=lambda one: -one.score)
    soup = taste(learner, ranked[:1], contents, metric)
    for one in ranked[1:]:
        tried = taste(learner, [*soup.members, one], contents, metric)
        if tried.score > soup.score:
            soup = tried
    return soup


def taste(
    learner: Learner,
    members: Sequence[Ingredient],
    contents: Mapping[Ingredient, Content],
    metric: Metric,
) -> Soup:
    """Validate the mean of some; one alone is what it was, norms and all.

    Statistics of batch norms are computed anew over the training data (Izmailov et al. 2018).
    """
    paths = [one.path for one in members]
    learner.model.load_state_dict(mean_weights([contents[o]["weights"] for o in members], paths))
    if len(members) > 1:
        set_epoch(learner.dls.train, 0)
        recompute_norms(learner.model, learner.dls.train, learner.device)
    evaluation = learner.validate()
    weights = {key: value.cpu().clone() for key, value in learner.model.state_dict().items()}
    kept = {"weights": weights, "thresholds": learner.thresholds(evaluation)}
    score = (1 if metric.maximise else -1) * evaluation.scores[metric.name]
    return Soup(list(members), score, {**kept, "scores": valid_scores(learner)})
