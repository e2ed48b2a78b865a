"""Scores of the leaderboard, in the W&B run that they belong to."""

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = re.compile(r"(offline-)?run-(?P<time>\d{8}_\d{6})-(?P<id>\w+)")


def log_leaderboard(run_folder: Path, values: Mapping[str, float]) -> None:
    """Add values to the summary of a run's W&B run; a failure is a warning.

    A run that was never logged to W&B is left alone. Offline, the same id is written once more,
    and `wandb sync` joins the two.

    Args:
        values: all of the summary that must not get lost, since one summary replaces another.
    """
    run_id = wandb_id(run_folder)
    if run_id is None:
        return
    try:
        _add(run_folder.resolve(), run_id, values)
    except Exception as error:
        print(f"warning: no score in W&B for {run_folder}: {type(error).__name__}: {error}")


def wandb_id(run_folder: Path) -> str | None:
    """Return the id of the newest W&B run in the folder."""
    found = [FOLDER.fullmatch(path.name) for path in (run_folder / "wandb").glob("*run-*")]
    known = sorted((match["time"], match["id"]) for match in found if match)
    return known[-1][1] if known else None


def _add(folder: Path, run_id: str, values: Mapping[str, float]) -> None:
    from common.loggers.wandb import WandbLogger

    competition, experiment, _ = folder.parts[-3:]
    name = "/".join(folder.parts[-3:])
    logger = WandbLogger(folder, competition, name, experiment, run_id=run_id)
    logger.hyperparameters({}, values)
    logger.finish()
