"""kit predict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import distributed
from common.checkpoints import load_checkpoint
from common.commands.chosen import choose_runs
from common.competition import Competition
from common.config import Config, PredictConfig, parse_overrides, refuse_foreign
from common.environment import data_dir, runs_dir
from common.errors import KitError, did_you_mean

SECTION = "predict."  # of the config


def predict_test(
    name: str,
    overrides: Sequence[str],
    runs: Sequence[str],
    out: Path | None,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Predict with the named runs, experiments or blend, or with the newest trained run.

    The processes that torchrun started predict as one.

    Args:
        overrides: `predict.key=value`, of what the first run's config says.
    """
    competition = Competition.find(name)
    root = runs_dir(given_runs)
    chosen, blended = choose_runs(name, runs, root)
    place = data_dir(name, given_data)
    usual = Path(getattr(competition.module("data"), "SUBMISSION", "submission.csv"))
    target = usual if out is None else out / usual if out.is_dir() else out
    checkpoints = [run.best() for run in chosen]
    options = predict_options(checkpoints[0], overrides, blended)
    with distributed.joined():
        written = competition.module("predict").predict(checkpoints, place, target, options)
        names = ", ".join(run.name for run in chosen)
        print(f"predicted with {names}\nsubmission: {written} (valid)")


def predict_options(
    checkpoint: Path, overrides: Sequence[str], blended: Mapping[str, Any] | None = None
) -> PredictConfig | None:
    """Return the checkpoint's `predict` section with a blend's and overrides; None without any.

    Raises:
        KitError: an override of anything else, or of what another task predicts with.
    """
    update = parse_overrides(overrides)
    for key in update:
        if not key.startswith(SECTION):
            known = [SECTION + name for name in PredictConfig.model_fields]
            meant = key if "." in key else SECTION + key
            raise KitError(
                f"expected overrides of {SECTION}*, got '{key}': the rest is as the run was "
                f"trained; {did_you_mean(meant, known)}"
            )
    if not update and not blended:
        return None
    config = Config.model_validate(load_checkpoint(checkpoint)["config"])
    config = config.model_copy(update={**(blended or {}), **update})
    refuse_foreign(config, list(update))
    return config.predict
