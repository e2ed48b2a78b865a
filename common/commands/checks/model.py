"""What is checked of the model: the competition's own, made by its own train.py."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.competition import Competition
from common.config import Config
from common.data.audit.finding import Finding, problem
from common.errors import KitError
from common.learners.base import Learner
from common.learners.rehearsal import instead_of_training
from common.models.create import NoWeights
from common.runs import Run

STARTS = 64  # samples whose first loss is looked at


def rehearse_training(competition: Competition, config: Config, place: Path, run: Run) -> Learner:
    """Tell the story of `train.py` up to the point where it would train; return its learner."""
    made: list[Learner] = []
    with instead_of_training(made.append), _local_files(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said once, when the data was read
        competition.module("train").train(config, place, run)
    if not made:
        raise KitError(
            f"expected competitions/{competition.name}/train.py to end with train_run(learner, "
            "...) of common/learners/recipe.py, it never called it; call it, or use --no-model"
        )
    return made[0]


def make_model(
    competition: Competition, config: Config, place: Path, run: Run
) -> tuple[Learner | None, Config, list[Finding]]:
    """Return the learner, the config it was made with, and what stood in the way.

    Where pretrained weights cannot be had, random ones stand in: the checks say the same of them.
    """
    try:
        return rehearse_training(competition, config, place, run), config, []
    except NoWeights as error:
        found = [_no_weights(config, error)]
        config = config.model_copy(update={"model.weights": "none"})
    except KitError as error:
        return None, config, [_stopped(error)]
    try:
        return rehearse_training(competition, config, place, run), config, found
    except KitError as error:
        return None, config, [*found, _stopped(error)]


def check_model(learner: Learner, config: Config) -> list[Finding]:
    """Check the first loss and whether a few samples can be learnt by heart."""
    from common.learners.sanity.one_batch import on_device, one_batch
    from common.learners.sanity.start_loss import start_loss

    try:
        batches = on_device(learner, STARTS)
        return [*start_loss(learner, batches), one_batch(learner, batches[0], config)]
    except KitError as error:
        return [_stopped(error)]


@contextmanager
def _local_files() -> Iterator[None]:
    """Keep the Hub's client from fetching: a check is quick, on a plane as well."""
    from huggingface_hub import constants

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _no_weights(config: Config, error: NoWeights) -> Finding:
    return Finding(
        "weights",
        "ok",
        f"those of {config.model.name} are not on this machine yet; checked with random ones",
        f"training fetches them if it is online; else {str(error).partition('; ')[2]}",
    )


def _stopped(error: KitError) -> Finding:
    found, _, remedy = str(error).partition("; ")
    return problem("training", found, remedy or "kit train stops with these words")
