"""kit predict."""

from collections.abc import Sequence
from pathlib import Path

from common.commands.runs import find_run
from common.competition import Competition
from common.environment import data_dir, runs_dir
from common.errors import KitError
from common.runs import find_runs


def predict_test(
    name: str,
    runs: Sequence[str],
    out: Path | None,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Predict with the named runs, averaged, or with the newest one that has a best checkpoint."""
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
    written = competition.module("predict").predict([run.best() for run in chosen], place, target)
    print(f"predicted with {', '.join(run.name for run in chosen)}\nsubmission: {written} (valid)")
