"""Run folders: `runs/<competition>/<experiment>/fold<k>/`."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import environment
from common.config import Config, flatten, foreign_keys
from common.errors import KitError, cannot_write
from common.run_lock import lock_run, unlock_run
from common.run_pseudo import INPUTS, check_inputs

# In which sessions, not what is trained.
HOW = ("time_limit", "save_minutes", "halve_batch", "anomaly", "detect_anomaly")
LATER = ("log.", "predict.", "kernel.")  # sections that no weight depends on
LAST, BEFORE = "last.pt", "last_before.pt"


@dataclass(frozen=True)
class Run:
    """One fold of one experiment: its folder and what lies in it."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, config: Config, resume: bool = False) -> "Run":
        """Make the folder and write config and environment into it.

        Raises:
            KitError: the folder holds a run already and `resume` is off, or its config or the
                content of its pseudo-labels differs;
                another process trains there; it cannot be written.
        """
        run = cls(folder)
        lock_run(folder)
        try:
            if run.config_file.exists():
                run._check_goes_on(config, resume)
            if inputs := check_inputs(folder, config, run.config_file.exists()):
                write_json(folder / INPUTS, inputs)
            write_json(run.config_file, config.model_dump(mode="json"))
            write_json(folder / "environment.json", environment.describe())
        except BaseException:  # nothing begins here, so the folder is free again
            unlock_run(folder)
            raise
        return run

    @property
    def name(self) -> str:
        """competition/experiment/fold."""
        return "/".join(self.folder.parts[-3:])

    @property
    def competition(self) -> str:
        """The competition's folder name."""
        return self.folder.parts[-3]

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.folder.parts[-2]

    @property
    def fold(self) -> int:
        """Which fold validates."""
        return int(self.folder.name.removeprefix("fold"))

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.folder / "config.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint that training goes on from."""
        return self.checkpoints / LAST

    @property
    def saved(self) -> tuple[Path, Path]:
        """Where training goes on from: the last checkpoint and, if that is damaged, one before."""
        return self.last, self.checkpoints / BEFORE

    @property
    def can_resume(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return any(path.is_file() for path in self.saved)

    @property
    def oof_file(self) -> Path:
        """Predictions for the samples of this fold, by a model that never saw them."""
        return self.folder / "oof.parquet"

    @property
    def label_history_file(self) -> Path:
        """What the best epochs say against labels of this fold, by models that never saw them."""
        return self.folder / "label_history.parquet"

    @property
    def train_losses_file(self) -> Path:
        """Losses of the samples that it learns from, epoch by epoch."""
        return self.folder / "train_losses.parquet"

    @property
    def label_issues_file(self) -> Path:
        """Labels of this fold that are probably wrong, the surest first."""
        return self.folder / "label_issues.csv"

    @property
    def leaderboard_file(self) -> Path:
        """What Kaggle said of the newest submission that this run had a part in."""
        return self.folder / "leaderboard.json"

    @property
    def leaderboard(self) -> dict[str, Any] | None:
        """Scores (`public`, `private`), `runs` that were averaged, and which submission it was."""
        file = self.leaderboard_file
        return read_json(file) if file.exists() else None

    @property
    def folds_file(self) -> Path:
        """Folds of the competition, shared by all its experiments."""
        return self.folder.parents[1] / "folds.csv"

    @property
    def cache(self) -> Path:
        """Resized copies of the images, shared by all runs of the competition."""
        return self.folder.parents[1] / "cache"

    @property
    def config(self) -> Config:
        """The config that the run was started with."""
        return Config.read(self.config_file)

    @property
    def summary(self) -> dict[str, Any]:
        """What is known of the run so far; see `write_summary`."""
        file = self.folder / "summary.json"
        return read_json(file) if file.exists() else {}

    @property
    def status(self) -> str:
        """One of started, running, interrupted, failed, finished."""
        return self.summary.get("status", "started")

    def best(self, metric: str | None = None) -> Path:
        """Return the checkpoint with the best value of the metric (default: the competition's)."""
        return self.checkpoints / f"best_{metric or self.config.metric}.pt"

    def kept(self) -> list[Path]:
        """Return the checkpoints of single epochs that `train.keep_best` left."""
        return sorted(self.checkpoints.glob("epoch_*.pt"))

    def of_epoch(self, epoch: int) -> Path:
        """Return where `train.keep_best` keeps an epoch, the first being 1."""
        return self.checkpoints / f"epoch_{epoch:04d}.pt"

    def write_summary(self, **values: Any) -> None:
        """Merge values into the summary that `kit runs` lists."""
        named = {"name": self.name, "competition": self.competition}
        place = {"experiment": self.experiment, "fold": self.fold}
        merged = {**self.summary, **named, **place, **values, "time": time.time()}
        write_json(self.folder / "summary.json", merged)

    def _check_goes_on(self, config: Config, resume: bool) -> None:
        if not resume:
            raise KitError(
                f"expected a new run folder, but '{self.folder}' holds a run ({self.status}); go "
                "on with it by --resume, store this one elsewhere by --name, or delete the folder"
            )
        self._check_same(config)

    def _check_same(self, config: Config) -> None:
        old, new = (dict(flatten(c.model_dump(mode="json"))) for c in (self.config, config))
        free = ("train.epochs", "data.num_workers", *LATER, *(f"train.{key}" for key in HOW))
        free += tuple(foreign_keys(config))  # which older runs may hold
        changed = [
            f"{key}: {old.get(key)!r} -> {new.get(key)!r}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key) and not key.startswith(free)
        ]
        if changed:
            raise KitError(
                f"expected the config that '{self.folder}' was started with, got other values "
                f"({'; '.join(changed)}); resume without them or start a new run with --name"
            )


def find_runs(root: Path, competition: str | None = None) -> list[Run]:
    """Return every run below the runs folder, oldest first."""
    files = root.glob(f"{competition or '*'}/*/fold*/config.json")
    return [Run(file.parent) for file in sorted(files, key=lambda file: file.stat().st_mtime)]


def check_name(name: str) -> None:
    """Raise KitError unless runs can be stored under a name: it is that of one folder."""
    if not name or name.startswith(".") or any(sign in name for sign in "/\\"):
        raise KitError(
            f"expected a name of one folder in --name, got '{name}'; leave out slashes and a dot "
            "in front, such as lr3"
        )


def hash_weights(weights: dict[str, Any]) -> str:
    """Return the SHA-256 over names and bytes of a state dict, so that runs compare bit for bit."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote.

    Raises:
        KitError: it cannot be read, or was cut off.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise KitError(
            f"expected what a run wrote in '{path}', got: {error}; the file is damaged, delete its "
            "folder or put a copy back"
        ) from None


def write_json(path: Path, values: Any) -> None:
    """Write JSON atomically.

    Raises:
        KitError: the disk is full or the folder read-only.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(values, indent=2))
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
