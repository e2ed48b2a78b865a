"""What a config says wrongly, told before data is read and a model is built."""

from collections.abc import Sequence
from importlib import import_module
from types import SimpleNamespace

from common.callbacks.looks.ranking import Ranking
from common.callbacks.looks.sample_look import VIEWS
from common.competition import Competition
from common.config import Config, refuse_foreign
from common.learners.optimiser import check_optimiser
from common.models.targets import make_auxiliary, make_scale

RANKED = {"extremes", "cam"}  # looks that rank samples


def check_config(competition: Competition, config: Config) -> None:
    """Raise KitError for what a training would pass over, or be stopped by once it is under way.

    What depends on the loss is told where it is the task's usual one: that of a learner of another
    make is known once it is made.
    """
    refuse_foreign(config)
    check_optimiser(config.train.optimiser)
    module = competition.module("train")
    made_by = getattr(getattr(module, "make_learner", None), "__module__", "")
    if made_by == f"common.learners.{config.task}" and not hasattr(module, "LossTerm"):
        check_ranking(config, loss_terms(config))


def check_ranking(config: Config, terms: Sequence[str]) -> None:
    """Raise KitError unless `log.rank_by` names the loss, a term of it or the task's metric."""
    looks = config.log.looks
    if looks != "none" and (looks == "all" or RANKED & set(looks)):
        Ranking(config.log.rank_by, VIEWS[config.kind](config)).check(terms)


def loss_terms(config: Config) -> list[str]:
    """Return the names of the task's usual loss's terms.

    Raises:
        KitError: `train.loss` or what belongs to it is not as the task takes it.
    """
    unweighted = config.model_copy(update={"train.class_weights": "none"})  # as named, no labels
    make = getattr(import_module(f"common.learners.{config.task}"), f"{config.task}_loss")
    if config.task != "classification":  # modules of other tasks would cost seconds
        return [term.name for term in make(unweighted).terms]
    scales = SimpleNamespace(scale=make_scale(config), auxiliary=make_auxiliary(1, config))
    return [term.name for term in make(unweighted, model=scales).terms]
