"""What a config says wrongly of the looks, told before data is read and a model is built."""

from importlib import import_module

from common.callbacks.looks.ranking import Ranking
from common.callbacks.looks.sample_look import VIEWS
from common.config import Config
from common.losses.terms import Loss

RANKED = {"extremes", "cam"}  # looks that rank samples


def check_ranking(config: Config) -> None:
    """Raise KitError unless `log.rank_by` names the loss, a term of it or the task's metric.

    For trainings with the task's usual loss; the look itself asks a loss of another make.
    """
    looks = config.log.looks
    if looks == "none" or (looks != "all" and not RANKED & set(looks)):
        return
    unweighted = config.model_copy(update={"train.class_weights": "none"})  # as named, no labels
    terms = [term.name for term in _usual_loss(unweighted).terms]
    Ranking(config.log.rank_by, VIEWS[config.task](config)).check(terms)


def _usual_loss(config: Config) -> Loss:
    learners = import_module(f"common.learners.{config.task}")  # the others would cost seconds
    return getattr(learners, f"{config.task}_loss")(config)
