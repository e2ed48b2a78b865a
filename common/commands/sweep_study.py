"""Optuna's side of a sweep: a study that several processes work on, and go on with."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import optuna
from optuna import TrialPruned as TrialPruned
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from common.commands.sweep_heartbeat import database_error, heartbeat_in_a_line
from common.commands.sweep_space import Choices, Range
from common.environment import hide_password
from common.errors import KitError

RUN, AGAIN, ASKED = "run", "again", "asked"  # attributes of trials, and of the study
HEARTBEAT = 30  # seconds; a trial that is silent for twice as long belongs to a process that died
AWAKE = {"pool_pre_ping": True}  # of the engine: a server that was started anew is connected again
DRIVERS = {  # packages of the modules that SQLAlchemy imports unless an address names another
    "psycopg2": "psycopg2-binary",
    "psycopg": "'psycopg[binary]'",
    "MySQLdb": "mysqlclient (or write mysql+pymysql:// and pip install pymysql)",
}
STARTUP = 4  # finished trials before one may be pruned


class SeededTpe(BaseSampler):
    """TPE (Bergstra et al. 2011), seeded by trial: workers draw different values, each time anew.

    Args:
        seed: of the whole study.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.tpe = seed, TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Begin a trial with a generator of its own."""
        self.tpe = TPESampler(seed=self.seed + trial.number)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Leave it to TPE."""
        return self.tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Leave it to TPE."""
        return self.tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, name: str, distribution: BaseDistribution
    ) -> Any:
        """Leave it to TPE."""
        return self.tpe.sample_independent(study, trial, name, distribution)


def open_study(
    storage: str, name: str, maximise: bool, seed: int, asked: Sequence[str]
) -> optuna.Study:
    """Return the study of a name, new or as other processes left it.

    Args:
        storage: URL of a database, such as sqlite:///sweep.db.
        asked: what is swept over, in words.

    Raises:
        KitError: it cannot be opened, or the study sweeps over something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if storage.startswith("sqlite:///"):
        Path(storage.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    told = "heartbeat_stale_trial_callback"  # Optuna 5's word for what 4 calls a failed trial
    told = told if told in signature(RDBStorage.__init__).parameters else "failed_trial_callback"
    stale: dict[str, Any] = {told: try_again}
    try:
        study = optuna.create_study(
            storage=RDBStorage(storage, AWAKE, heartbeat_interval=HEARTBEAT, **stale),
            sampler=SeededTpe(seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
            study_name=name,
            direction="maximize" if maximise else "minimize",
            load_if_exists=True,
        )
    except Exception as error:  # of SQLAlchemy, of the database's driver, of Optuna
        raise KitError(_no_database(storage, error)) from None  # a chain would show the password
    before = study.user_attrs.get(ASKED)
    if before is not None and before != sorted(asked):
        raise KitError(
            f"expected what '{name}' sweeps over ({' '.join(before)}), got {' '.join(asked)}; "
            "begin another one by --name"
        )
    study.set_user_attr(ASKED, sorted(asked))
    return study


def _no_database(storage: str, error: Exception) -> str:
    shown, said = _shown(storage), str(error).strip().partition("\n")[0]
    cause = error.__cause__ or error.__context__ or error  # Optuna wraps what SQLAlchemy says
    lacking = next((e.name for e in (error, cause) if isinstance(e, ImportError) and e.name), None)
    if lacking:
        package = DRIVERS.get(lacking, lacking)
        return (
            f"expected a driver for the database at '{shown}', got no module '{lacking}'; "
            f"pip install {package}"
        )
    for secret in sorted(_secrets(storage), key=len, reverse=True):
        said = said.replace(secret, "***")
    return (
        f"expected a database at '{shown}', got: {hide_password(said)}; name another by --storage "
        "or KIT_STORAGE, such as sqlite:///runs/sweeps.db or postgresql://user:word@host/name"
    )


def _shown(storage: str) -> str:
    if "://" in storage:
        return hide_password(storage)
    return f"***@{storage.rpartition('@')[2]}" if "@" in storage else storage


def _secrets(storage: str) -> set[str]:
    """Return what of an address a driver must not repeat, as it is written and as it is meant."""
    user = storage.rpartition("://")[2].rpartition("@")[0]
    words = {user, user.partition(":")[2]} - {""}
    parts = user.split("@")  # what follows the first @ is taken for a host, and named as such
    words |= {"@".join(parts[place:]) for place in range(1, len(parts))} - {""}
    return words | {unquote(word) for word in words}


def suggest(trial: Trial, space: Mapping[str, Choices | Range]) -> dict[str, Any]:
    """Return the values of a trial, by config key."""
    return {key: _suggest(trial, key, values) for key, values in space.items()}


def _suggest(trial: Trial, key: str, values: Choices | Range) -> Any:
    if isinstance(values, Choices):
        return trial.suggest_categorical(key, values.values)
    if values.whole:
        return trial.suggest_int(key, int(values.low), int(values.high))
    return trial.suggest_float(key, values.low, values.high, log=values.log)


def run_name(study: optuna.Study, trial: Trial | FrozenTrial) -> str:
    """Return under which name a trial's folds are stored; one that goes on keeps it."""
    return trial.user_attrs.get(RUN) or f"{study.study_name}-{trial.number:03d}"


def try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Have some worker go on with a trial that was interrupted, in the same run folders."""
    if trial.params:
        known = {RUN: run_name(study, trial), AGAIN: trial.number}
        study.enqueue_trial(trial.params, user_attrs=known)


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that are over, without those of which another one goes on."""
    trials = study.get_trials()
    again = {trial.user_attrs.get(AGAIN) for trial in trials}
    return [trial for trial in trials if trial.state.is_finished() and trial.number not in again]


def run_trials(study: optuna.Study, count: int, objective: Callable[[Trial], float]) -> None:
    """Run trials until the study has `count` of them, by whichever process.

    Those that others are at are not counted, for they may never end: W workers may run W - 1 more.

    Raises:
        KitError: the database does not answer any more.
    """
    try:
        with heartbeat_in_a_line():
            while len(_ended(study)) < count:
                study.optimize(objective, n_trials=1)
    except Exception as error:
        lost = database_error(error)
        if lost is None:
            raise
        said = hide_password(str(lost).strip().partition("\n")[0])
        raise KitError(
            f"expected an answer from the sweep's database, got: {said}; the same command goes on "
            "once it is there again"
        ) from None


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that came to an end, the best first, then those pruned, then failed."""
    order = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1

    def rank(trial: FrozenTrial) -> tuple[int, float, int]:
        return order.index(trial.state), sign * (trial.value or 0), trial.number

    return sorted(_ended(study), key=rank)
