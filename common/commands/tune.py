"""kit tune: what trains fastest on this machine."""

import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from common.commands.check import unchanged
from common.commands.checks.model import make_model
from common.commands.tune_choices import Choice, of_batch, of_compiler, of_network, of_reading
from common.competition import Competition
from common.config import OVERRIDES, Config, parse_overrides
from common.environment import data_dir, describe, runs_dir
from common.environment import device as find_device
from common.errors import KitError
from common.learners.base import Learner
from common.learners.early import check_config
from common.learners.sanity.one_batch import on_device
from common.learners.trial import Trial, compare
from common.learners.trouble import is_out_of_memory
from common.runs import Run, write_json

GAIN = 1.03  # a ratio above which a choice is kept; less is the machine's noise
TURNS, READING = 8.0, 4.0  # seconds at most of a choice
FILE = "tune.json"


@dataclass
class Row:
    """One line of the table."""

    tried: str
    images: float = 0.0  # per second; 0: not measured
    ratio: float = 0.0  # to the best before it
    memory: float = 0.0  # GB
    verdict: str = ""
    changes: str = ""

    def __str__(self) -> str:
        numbers = f"{'':>9}  {'':>6}  {'':>7}"
        if self.images:
            memory = f"{self.memory:.2f}" if self.memory else ""
            numbers = f"{self.images:9.1f}  {self.ratio:6.2f}  {memory:>7}"
        return f"{self.tried:28}{numbers}  {self.verdict}"


HEAD = f"{'tried':28}{'images/s':>9}  {'ratio':>6}  {'GB':>7}"


def tune_experiment(
    name: str,
    overrides: Sequence[str],
    experiment: str,
    minutes: float,
    batch_size: bool,
    given_data: Path | None,
    given_runs: Path | None,
) -> None:
    """Try what may be faster, print a table, write the best beside the competition's runs.

    Args:
        minutes: for all trials; what there is no time for is said.
        batch_size: also try larger batches, which change what is learnt.
    """
    competition = Competition.find(name)
    config = competition.experiment(experiment).model_copy(update=parse_overrides(overrides))
    check_config(competition, config)
    place, run = data_dir(name, given_data), Run(runs_dir(given_runs) / name / "tune" / "fold0")
    with unchanged(run.folds_file):
        tuning = Tuning(competition, config, place, run, time.monotonic() + 60 * minutes)
        tuning.try_all(batch_size)
    file = run.folder.parents[1] / FILE
    tell(tuning, file, f"kit train {name} --experiment {experiment}")


@dataclass
class Tuning:
    """The best config so far, and what was tried."""

    competition: Competition
    config: Config  # the best so far
    place: Path
    run: Run
    until: float  # on the monotonic clock
    rows: list[Row] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    total: float = 1.0  # product of the kept ratios

    def try_all(self, batch_size: bool) -> None:
        """Try each choice against the best so far, and keep it where it is faster."""
        self.best = self._trial(self.config)
        speed = compare(self.best, self.best, min(self.left / 8, TURNS))
        print(HEAD)
        self._add(Row("as it is", speed.images, 1.0, speed.memory))
        device, samples = self.best.device, len(self.best.learner.dls.train.dataset)
        self._try_networks(of_network(self.config, device))
        if batch_size:
            self._try_networks(of_batch(self.config, samples))
        self._try_reading(of_reading(self.config))
        self._try_networks(of_compiler(self.config))

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    def _try_networks(self, choices: Iterable[Choice]) -> None:
        for choice in choices:
            row = Row(str(choice), changes=choice.changes(self.config))
            if self.left <= 0:
                row.verdict = "no time left; --minutes gives more"
            else:
                self._try_network(choice, row)
            self._add(row)

    def _try_network(self, choice: Choice, row: Row) -> None:
        config, trial = self.config.model_copy(update={choice.key: choice.value}), None
        try:
            trial = self._trial(config)
            speed = compare(trial, self.best, min(self.left / 4, TURNS))
        except Exception as error:  # what does not run here is a result
            row.verdict = _why(error)
            del error, trial
            _free()
            return
        row.images, row.ratio, row.memory = speed.images, speed.ratio, speed.memory
        if self._keeps(choice, row, config):
            self.best = trial
        _free()

    def _try_reading(self, choices: Iterable[Choice]) -> None:
        before = self.config.data.num_workers
        for choice in [Choice("data.num_workers", before), *choices]:
            row = Row(str(choice), changes=choice.changes(self.config))
            if self.left <= 0:
                row.verdict = "no time left; --minutes gives more"
            else:
                self._try_workers(choice, row, choice.value == before)
            self._add(row)

    def _try_workers(self, choice: Choice, row: Row, first: bool) -> None:
        seconds = min(self.left / 6, READING)
        try:
            if first:
                row.images, row.ratio = self.best.read(choice.value, seconds), 1.0
                row.verdict = "reading included, as it is"
                return
            kept = self.config.data.num_workers
            before = self.best.read(kept, seconds / 2)
            row.images = self.best.read(choice.value, seconds)
            usual = max(before, self.best.read(kept, seconds / 2))  # a doubt speaks for what is
        except Exception as error:
            row.verdict = _why(error)
            return
        row.ratio = row.images / usual
        config = self.config.model_copy(update={choice.key: choice.value})
        self._keeps(choice, row, config)

    def _keeps(self, choice: Choice, row: Row, config: Config) -> bool:
        if row.ratio <= GAIN:
            row.verdict = "no faster"
            return False
        row.verdict = f"KEPT; changes {row.changes}"
        self.config, self.total = config, self.total * row.ratio
        self.kept[choice.key] = choice.value
        return True

    def _trial(self, config: Config) -> Trial:
        quiet = config.model_copy(update={"data.num_workers": 0})
        learner = self._learner(quiet)
        return Trial(learner, config, on_device(learner, 2 * config.train.batch_size))

    def _learner(self, config: Config) -> Learner:
        learner, _, found = make_model(self.competition, config, self.place, self.run)
        if learner is None:
            raise KitError("; ".join(f"{finding.found}; {finding.remedy}" for finding in found))
        return learner

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        print(row, flush=True)


def tell(tuning: Tuning, file: Path, command: str) -> None:
    """Write the file and say how to use it."""
    device = str(find_device())
    about = {key: describe()[key] for key in ("device", "cpus", "packages")}
    rows = [asdict(row) for row in tuning.rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {OVERRIDES: tuning.kept, "on": device, **about, "tried": rows})
    if not tuning.kept:
        print(f"\nnothing is faster on this machine; all that was tried: {file}")
        return
    words = " ".join(str(Choice(key, value)) for key, value in tuning.kept.items())
    print(f"\n{words}\n  together about {tuning.total:.2f} times as fast; train with it by:")
    print(f"  {command} @{file}")


def _why(error: Exception) -> str:
    if is_out_of_memory(error):
        return "out of memory"
    return f"does not run here: {' '.join(str(error).split())[:120]}"


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
