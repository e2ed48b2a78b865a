"""What is checked of the model: the competition's own, made by its own train.py."""

import warnings
from pathlib import Path

from common.competition import Competition
from common.config import Config
from common.data.audit.finding import Finding, problem, warning
from common.errors import KitError
from common.learners.base import Learner
from common.learners.rehearsal import instead_of_training
from common.models.create import NoWeights
from common.runs import Run

STARTS = 64  # samples whose first loss is looked at


def rehearse_training(competition: Competition, config: Config, place: Path, run: Run) -> Learner:
    """Tell the story of `train.py` up to the point where it would train; return its learner."""
    made: list[Learner] = []
    with instead_of_training(made.append), warnings.catch_warnings():
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
        said = str(error).partition("; ")
        found = [warning("weights", f"{said[0]}; checked with random ones", said[2])]
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


def _stopped(error: KitError) -> Finding:
    found, _, remedy = str(error).partition("; ")
    return problem("training", found, remedy or "kit train stops with these words")
