"""kit sweep --wandb: Weights & Biases draws the values and keeps the scores."""

import _thread
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from common.commands.run_kit import run_kit
from common.commands.sweep import Interrupted, fold_score, folds_of
from common.commands.sweep_settings import EXPERIMENT, FOLD, settings_of
from common.commands.sweep_space import words_of
from common.competition import Competition
from common.environment import runs_dir
from common.errors import KitError
from common.loggers.wandb_sweep import (
    Trial,
    begin_trial,
    create_sweep,
    expect_account,
    outside_trial,
    run_agent,
)
from common.runs import Run


def sweep_by_wandb(
    name: str,
    words: Sequence[str],
    experiment: str,
    fold: str,
    trials: int,
    method: str,
    joined: str,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Make a sweep of W&B, or join one, and try what it gives until it has enough.

    Args:
        words: as of `sweep_experiment`; none for a sweep that is joined, which knows its own.
        trials: that the sweep has in the end, of all machines.
        method: bayes, random or grid.
        joined: id of a sweep that is there already.
    """
    competition = Competition.find(name)
    optuna = ["kit", "sweep", name, *words, "--experiment", experiment, "--fold", fold]
    if joined and words:
        raise KitError(f"expected no values beside --wandb-sweep, got {shlex.join(words)}")
    settings = None if joined else settings_of(competition, words, experiment, fold, trials, method)
    expect_account(shlex.join(optuna) if words else f"kit sweep {name} train.lr=1e-4..1e-2")
    sweep_id = joined or create_sweep(settings or {}, name)
    print(f"sweep {sweep_id}: to go on, or to join in: kit sweep {name} --wandb-sweep {sweep_id}")
    agent = Agent(competition, sweep_id.rpartition("/")[2], (given_data, given_runs))
    folder = runs_dir(given_runs) / name / "sweeps"
    before = signal.signal(signal.SIGTERM, lambda *_: _thread.interrupt_main())
    try:
        run_agent(sweep_id, name, agent.try_one, trials, folder)
    finally:
        signal.signal(signal.SIGTERM, before)
    agent.conclude()


class Agent:
    """Tries what a sweep gives, each fold in a process of its own.

    A process, because wandb calls the agent's function in a thread, where no signal can be
    handled, and because the fold's own W&B run must not be the trial's.
    """

    def __init__(
        self, competition: Competition, sweep: str, places: tuple[Path | None, Path | None]
    ) -> None:
        self.competition, self.sweep, self.places = competition, sweep, places
        self.scores: dict[str, tuple[float, list[str]]] = {}  # by run: mean, words
        self.stopped: KitError | Interrupted | None = None
        self.maximise = True

    def try_one(self) -> None:
        """Train the folds of a trial and log their mean after each.

        A trial that cannot be trained counts as failed; before any has a score the mistake is
        taken for a general one, and ends the agent.
        """
        if self.stopped:  # the interrupt is on its way
            return
        root = runs_dir(self.places[1]) / self.competition.name / "sweeps"
        try:
            with begin_trial(self.competition.name, root) as trial:
                self._train(trial)
        except KitError as error:
            if self.scores:
                print(f"trial failed: {error}", flush=True)
            else:
                self._stop(error)
        except Interrupted as interrupted:
            self._stop(interrupted)
        except Exception as error:
            if type(error) is not Exception or error.args:  # what wandb throws into our thread
                raise
            print("trial stopped by W&B, or with the agent", flush=True)

    def conclude(self) -> None:
        """Say which of the trials that were tried here is best, or why there is an early end."""
        if isinstance(self.stopped, Interrupted):
            print(f"the sweep goes on by --wandb-sweep {self.sweep}")
            sys.exit(self.stopped.code)
        if self.stopped:
            raise self.stopped
        if self.scores:
            pick = max if self.maximise else min
            name, (score, words) = pick(self.scores.items(), key=lambda item: item[1][0])
            command = shlex.join(["kit", "train", self.competition.name, *words])
            print(f"best here, {name} with {score:.4f}: {command}")

    def _stop(self, error: KitError | Interrupted) -> None:
        self.stopped = error
        _thread.interrupt_main()  # wandb's agent takes it for Ctrl-C, and has no other end

    def _train(self, trial: Trial) -> None:
        values = dict(trial.values)
        experiment, fold = str(values.pop(EXPERIMENT, "baseline")), str(values.pop(FOLD, "0"))
        words, name = list(words_of(values)), f"sweep-{self.sweep}-{trial.id}"
        config = self.competition.experiment(experiment)
        metric = self.competition.metrics(config)[0]
        self.maximise = metric.maximise
        print(f"trial {name}: {' '.join(words)}", flush=True)
        found: list[float] = []
        for number in folds_of(fold, config, words):
            found.append(self._train_fold(name, experiment, number, words))
            mean = sum(found) / len(found)
            trial.log({f"valid/{metric.name}": mean, "folds": len(found)})
        self.scores[name] = mean, ["--experiment", experiment, *words]

    def _train_fold(self, name: str, experiment: str, fold: int, words: Sequence[str]) -> float:
        data, runs = self.places
        given = ["--data", str(data)] if data else []
        given += ["--runs", str(runs)] if runs else []
        where = ["--experiment", experiment, "--fold", str(fold), "--name", name, "--resume"]
        code = run_kit(["train", self.competition.name, *words, *where, *given], outside_trial())
        run = Run(runs_dir(runs) / self.competition.name / name / f"fold{fold}")
        score = fold_score(run, code)
        if score != score:
            raise KitError(f"expected a score of {run.folder}, got {run.summary['interrupted_by']}")
        return score
