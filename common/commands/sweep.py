"""kit sweep."""

import math
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.commands.sweep_space import Choices, Range, parse_space, words_of
from common.commands.train import train_folds
from common.competition import Competition
from common.config import Config
from common.environment import runs_dir
from common.errors import KitError
from common.figures.grid import format_value
from common.runs import Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial


class Sweep:
    """Trains trials of one experiment, fold by fold.

    Args:
        competition, experiment: what is trained.
        folds: numbers of the folds; a trial's value is their mean.
        space: what differs between trials.
        fixed: overrides that all of them share.
        places: of data and runs, as the command line names them.
    """

    def __init__(
        self,
        competition: Competition,
        experiment: str,
        folds: Sequence[int],
        space: dict[str, Choices | Range],
        fixed: Sequence[str],
        places: tuple[Path | None, Path | None],
    ) -> None:
        self.competition, self.experiment, self.folds = competition, experiment, folds
        self.space, self.fixed, self.places = space, fixed, places

    def objective(self, trial: "Trial") -> float:
        """Train a trial's folds, stop where earlier trials were better, and return the mean score.

        A trial that cannot be trained counts as failed; before any has a score the mistake is
        taken for a general one, and raised.
        """
        from common.commands.sweep_study import suggest, try_again

        study, params = trial.study, suggest(trial, self.space)
        try:
            return self._train(trial, params)
        except (Interrupted, KeyboardInterrupt):
            try_again(study, study.trials[trial.number])
            raise
        except KitError as error:
            if not any(other.value is not None for other in study.trials):
                raise
            print(f"trial {trial.number} failed: {error}", flush=True)
            return math.nan

    def _train(self, trial: "Trial", params: dict[str, Any]) -> float:
        from common.commands.sweep_study import TrialPruned, run_name

        name, words = run_name(trial.study, trial), list(words_of(params))
        print(f"trial {trial.number}, {name}: {' '.join(words)}", flush=True)
        scores: list[float] = []
        for fold in self.folds:
            scores.append(self._train_fold(name, fold, words))
            mean = sum(scores) / len(scores)
            trial.report(mean, step=len(scores) - 1)
            if len(scores) < len(self.folds) and trial.should_prune():
                print(f"trial {trial.number} pruned after {len(scores)} folds", flush=True)
                raise TrialPruned()
        return mean

    def _train_fold(self, name: str, fold: int, words: Sequence[str]) -> float:
        code, (data, runs) = 0, self.places
        overrides = [*self.fixed, *words]
        try:
            train_folds(
                self.competition.name, overrides, self.experiment, str(fold), True, name, data, runs
            )
        except SystemExit as leave:
            code = int(leave.code or 0)
        run = Run(runs_dir(runs) / self.competition.name / name / f"fold{fold}")
        return fold_score(run, code)


def fold_score(run: Run, code: int) -> float:
    """Return the score of a fold that was trained; NaN if its loss or gradients blew up.

    Args:
        code: that its training exited with.

    Raises:
        Interrupted: it was not trained to its end.
        KitError: it could not be trained at all.
    """
    if code == 2:
        raise KitError(f"expected {run.folder} to be trained, got the error above; mend it")
    summary = run.summary
    if summary.get("status") == "finished":
        return float(summary["metrics"][f"valid/{run.config.metric}"])
    if str(summary.get("interrupted_by", "")).startswith("anomaly"):
        return math.nan  # the step was too long, say: such values are as bad as it gets
    raise Interrupted(code)


class Interrupted(Exception):
    """The session is over before the trial is; `code` is for the command to exit with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def sweep_experiment(
    name: str,
    words: Sequence[str],
    experiment: str,
    fold: str,
    trials: int,
    study_name: str,
    storage: str,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Run trials until the study has `trials` of them; print all, and the best as overrides.

    Args:
        words: `key=a,b`, `key=low..high` or `key=value` each.
        fold: number, or all: then a trial that falls behind is pruned after a fold.
        study_name: empty: sweep-<experiment>.
        storage: URL of the database; empty: a SQLite file beside the runs.
    """
    if find_spec("optuna") is None:
        raise KitError("expected optuna for kit sweep, it is not installed; pip install optuna")
    from common.commands.sweep_study import finished, open_study, run_trials

    competition = Competition.find(name)
    config = competition.experiment(experiment)
    space, fixed = parse_space(words, config)
    folds = folds_of(fold, config, fixed)  # or say so before a study remembers what was asked
    named = study_name or f"sweep-{experiment}"
    url = storage or f"sqlite:///{runs_dir(given_runs) / name / 'sweeps.db'}"
    metric = competition.metrics(config)[0]
    asked = [*words, f"--experiment={experiment}", f"--fold={fold}"]
    study = open_study(url, named, metric.maximise, config.train.seed, asked)
    places = (given_data, given_runs)
    sweep = Sweep(competition, experiment, folds, space, fixed, places)
    try:
        run_trials(study, trials, sweep.objective)
    except Interrupted as interrupted:
        print("the trial goes on with the same command")
        sys.exit(interrupted.code)
    print("\n".join(table_lines(study, finished(study), metric.name)))
    best = [*fixed, *words_of(study.best_params)] if _any_complete(study) else []
    if best:
        print(f"best: kit train {name} --experiment {experiment} {shlex.join(best)}")


def table_lines(study: "Study", trials: "Sequence[FrozenTrial]", metric: str) -> list[str]:
    """Return the table of trials: run, state, score and what was tried."""
    from common.commands.sweep_study import run_name

    keys = list(dict.fromkeys(key for trial in trials for key in trial.params))
    rows = [["run", "state", metric, "folds", *keys]]
    for trial in trials:
        values: list[float | None] = list(trial.intermediate_values.values())
        score = trial.value if trial.value is not None else (values or [None])[-1]
        cells = [score, len(values), *(trial.params.get(key) for key in keys)]
        shown = ["-" if cell is None else format_value(cell) for cell in cells]
        rows.append([run_name(study, trial), trial.state.name.lower(), *shown])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([c.ljust(w) for c, w in zip(row, widths, strict=True)] for row in rows)
    return ["  ".join(row).rstrip() for row in padded]


def _any_complete(study: "Study") -> bool:
    return any(trial.state.name == "COMPLETE" for trial in study.trials)


def folds_of(fold: str, config: Config, fixed: Sequence[str]) -> list[int]:
    """Return the folds that --fold means once the overrides hold."""
    from common.commands.train import chosen_folds
    from common.config import parse_overrides

    return chosen_folds(fold, config.model_copy(update=parse_overrides(fixed)))
