"""kit folds."""

from pathlib import Path

from common.competition import Competition
from common.data.folds import fold_frame
from common.environment import data_dir, runs_dir
from common.keys import FOLD


def write_folds(
    name: str, experiment: str, given_data: Path | None, given_runs: Path | None, force: bool
) -> None:
    """Write the folds of a competition, or show those that are there."""
    competition = Competition.find(name)
    config = competition.experiment(experiment)
    file = runs_dir(given_runs) / name / "folds.csv"
    if force:
        file.unlink(missing_ok=True)
    frame = competition.module("data").read_train(data_dir(name, given_data), config)
    counts = fold_frame(file, frame, config)[FOLD].value_counts().sort_index()
    print(f"{file}: " + ", ".join(f"fold {fold}: {count}" for fold, count in counts.items()))
