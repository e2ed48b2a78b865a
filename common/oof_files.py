"""Experiments by their out-of-fold files: all folds of one, checked and joined."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from common.config import Config
from common.data.files import some
from common.errors import KitError, did_you_mean
from common.keys import IMAGE_ID
from common.runs import Run, find_runs


class Experiment(NamedTuple):
    """What an experiment's folds predicted for the samples that they never saw."""

    name: str
    config: Config
    runs: list[Run]  # those with an out-of-fold file, by ascending fold
    frame: pd.DataFrame  # all of their rows, in that order

    @property
    def folds(self) -> list[int]:
        """Which folds there are."""
        return [run.fold for run in self.runs]


def read_experiment(root: Path, competition: str, name: str) -> Experiment:
    """Join the out-of-fold files of an experiment.

    Raises:
        KitError: it has none, or a sample is in several folds.
    """
    known = [run for run in find_runs(root, competition) if run.oof_file.exists()]
    runs = sorted((run for run in known if run.experiment == name), key=lambda run: run.fold)
    if not runs:
        others = sorted({run.experiment for run in known})
        hint = f"{did_you_mean(name, others)}; or " if others else ""
        raise KitError(
            f"expected out-of-fold predictions of {competition}/{name} in '{root}', found none; "
            f"{hint}kit train {competition} --experiment {name} --fold all"
        )
    frame = pd.concat([pd.read_parquet(run.oof_file) for run in runs], ignore_index=True)
    _check_once(frame[IMAGE_ID], name)
    return Experiment(name, runs[0].config, runs, frame)


def _check_once(ids: Sequence[str] | pd.Series, name: str) -> None:
    twice = pd.Series(ids)[pd.Series(ids).duplicated()]
    if len(twice):
        raise KitError(
            f"expected every sample of {name} in one fold, {len(twice)} are in several: "
            f"{some(twice)}; its folds were made anew in between, train all of them again"
        )
