"""kit predict."""

from collections.abc import Sequence
from pathlib import Path

from common.checkpoints import load_checkpoint
from common.commands.runs import find_run
from common.competition import Competition
from common.config import Config, PredictConfig, parse_overrides
from common.environment import data_dir, runs_dir
from common.errors import KitError, did_you_mean
from common.runs import find_runs

SECTION = "predict."  # of the config


def predict_test(
    name: str,
    overrides: Sequence[str],
    runs: Sequence[str],
    out: Path | None,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Predict with the named runs, averaged, or with the newest one that has a best checkpoint.

    Args:
        overrides: `predict.key=value`, of what the first run's config says.
    """
    competition = Competition.find(name)
    root = runs_dir(given_runs)
    chosen = [find_run(run, root) for run in runs]
    if not chosen:
        trained = [run for run in find_runs(root, name) if run.best().exists()]
        if not trained:
            raise KitError(
                f"expected a trained run of {name} in '{root}', found none; kit train {name}"
            )
        chosen = trained[-1:]
    missing = [run.name for run in chosen if not run.best().exists()]
    if missing:
        raise KitError(f"expected a best checkpoint in every run, {missing[0]} has none; train it")
    place = data_dir(name, given_data)
    usual = Path(getattr(competition.module("data"), "SUBMISSION", "submission.csv"))
    target = usual if out is None else out / usual if out.is_dir() else out
    checkpoints = [run.best() for run in chosen]
    options = predict_options(checkpoints[0], overrides)
    written = competition.module("predict").predict(checkpoints, place, target, options)
    print(f"predicted with {', '.join(run.name for run in chosen)}\nsubmission: {written} (valid)")


def predict_options(checkpoint: Path, overrides: Sequence[str]) -> PredictConfig | None:
    """Return the checkpoint's `predict` section with overrides; None without any.

    Raises:
        KitError: an override of anything else.
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
    if not update:
        return None
    config = Config.model_validate(load_checkpoint(checkpoint)["config"])
    return config.model_copy(update=update).predict
