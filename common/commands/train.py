"""kit train."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import distributed
from common.commands.free_folds import free_folds
from common.competition import Competition
from common.config import Config, parse_overrides
from common.data.pseudo_file import check_test
from common.environment import data_dir, redact, runs_dir
from common.errors import KitError
from common.run_inputs import fetch_run
from common.run_lock import unlock_run
from common.runs import Run, check_name


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

    Of several folds, those that another process is at, or finishes meanwhile, are left to it. The
    processes that torchrun started train one fold after the other together.
    """
    from common.learners.early import check_config

    competition = Competition.find(name)
    config = competition.experiment(experiment).model_copy(update=parse_overrides(overrides))
    check_name(stored_as or experiment)
    check_config(competition, config)
    place = data_dir(name, given_data)
    tell_test_set(competition, config, place)
    root = runs_dir(given_runs) / name / (stored_as or experiment)
    folders = [root / f"fold{number}" for number in chosen_folds(fold, config)]
    with distributed.joined():
        for run in distributed.follow_first(_begun(folders, config, resume)):
            goes_on = distributed.from_first(resume and run.can_resume)
            if _train_one(competition, config, place, run, goes_on) == "interrupted":
                return  # the session is over, for the other folds too


def _begun(folders: Sequence[Path], config: Config, resume: bool) -> Iterator[Run]:
    """Yield the runs that there is something to do for, each made ours."""
    for run in free_folds(folders, resume):
        if resume:
            fetch_run(run)
        if resume and run.status == "finished" and not _more_epochs(run, config):
            print(f"{run.folder}: finished already, nothing to do")
            unlock_run(run.folder)
            continue
        yield Run.create(run.folder, config, resume)


def tell_test_set(competition: Competition, config: Config, place: Path) -> None:
    """Warn of test images without a pseudo-label because they are new since those were made.

    Raises:
        KitError: a pseudo-label's image is none of the test images any more.
    """
    if config.data.pseudo:
        test = competition.module("data").read_test(place)
        if told := check_test(Path(config.data.pseudo), test, config):
            warnings.warn(told, stacklevel=2)


def _train_one(
    competition: Competition, config: Config, place: Path, run: Run, resume: bool
) -> str:
    try:
        summary = competition.module("train").train(config, place, run, resume)
    except KitError:  # of the first step, say: what is mended starts in the same folder
        if run.status == "started" and not run.can_resume:
            run.config_file.unlink(missing_ok=True)
        raise
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
    given = [redact(argument) for argument in sys.argv[1:] if argument != "--resume"]
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
