"""kit train."""

import sys
from collections.abc import Sequence
from pathlib import Path

from common import distributed
from common.competition import Competition
from common.config import Config, parse_overrides
from common.environment import data_dir, runs_dir
from common.errors import KitError
from common.run_inputs import fetch_run
from common.run_lock import lock_run, unlock_run
from common.runs import Run


def train_folds(
    name: str,
    overrides: Sequence[str],
    experiment: str,
    fold: str,
    resume: bool,
    stored_as: str,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Train one fold or all; with `resume`, finished folds are passed over.

    The processes that torchrun started train as one.
    """
    competition = Competition.find(name)
    config = competition.experiment(experiment).model_copy(update=parse_overrides(overrides))
    place, root = data_dir(name, given_data), runs_dir(given_runs) / name
    folders = [root / (stored_as or experiment) / f"fold{k}" for k in chosen_folds(fold, config)]
    with distributed.joined():
        for run in map(Run, folders):
            begins = distributed.is_first() and _begin(run, config, resume)
            if not distributed.from_first(begins):
                continue
            goes_on = distributed.from_first(resume and run.can_resume)
            if _train_one(competition, config, place, run, goes_on) == "interrupted":
                return  # the session is over, for the other folds too


def _begin(run: Run, config: Config, resume: bool) -> bool:
    """Make the run folder ours, for all processes; tell whether there is anything to do."""
    lock_run(run.folder)
    if resume:
        fetch_run(run)
    if resume and run.status == "finished" and not _more_epochs(run, config):
        print(f"{run.folder}: finished already, nothing to do")
        unlock_run(run.folder)
        return False
    Run.create(run.folder, config, resume)
    return True


def _train_one(
    competition: Competition, config: Config, place: Path, run: Run, resume: bool
) -> str:
    summary = competition.module("train").train(config, place, run, resume)
    scores = ", ".join(f"{key} {value:.4f}" for key, value in summary["metrics"].items())
    print(f"{summary['status']}: {scores} (best epoch {summary['best_epoch']})")
    print(f"run folder: {run.folder}\nreport:     {run.folder / 'report.html'}")
    if summary["status"] == "interrupted":
        print(
            f"stopped by {summary['interrupted_by']}; everything is saved, go on with:\n"
            f"  kit {' '.join(_resume_arguments())}"
        )
        if summary["interrupted_by"].startswith("SIG"):
            sys.exit(130)
        if summary["interrupted_by"].startswith("anomaly"):
            print(f"reports: {run.folder / 'anomalies'}; train.anomaly=skip leaves such steps out")
            sys.exit(3)
    return summary["status"]


def _resume_arguments() -> list[str]:
    given = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return given if given[:1] == ["sweep"] else [*given, "--resume"]


def chosen_folds(fold: str, config: Config) -> list[int]:
    """Return the folds that --fold means."""
    if fold == "all":
        return list(range(config.data.n_folds))
    if not fold.isdigit() or int(fold) >= config.data.n_folds:
        raise KitError(
            f"expected --fold of 0 to {config.data.n_folds - 1} or all, got '{fold}'; "
            "data.n_folds says how many there are"
        )
    return [int(fold)]


def _more_epochs(run: Run, config: Config) -> bool:
    return config.train.epochs > run.config.train.epochs
