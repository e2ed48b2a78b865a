"""kit oof."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.competition import Competition
from common.config import Config
from common.environment import runs_dir
from common.errors import KitError
from common.keys import FOLD
from common.metrics.base import Metric
from common.oof import read_oof
from common.runs import find_runs


def score_out_of_fold(name: str, experiment: str, given_runs: Path | None) -> None:
    """Print every metric per fold, their mean and spread, and pooled over all folds."""
    root = runs_dir(given_runs)
    runs = [run for run in find_runs(root, name) if run.experiment == experiment]
    files = {run.fold: run.oof_file for run in runs if run.oof_file.exists()}
    if not files:
        raise KitError(
            f"expected out-of-fold predictions of {name}/{experiment} in '{root}', found none; "
            f"kit train {name} --experiment {experiment}"
        )
    config = runs[0].config
    frame = pd.concat([pd.read_parquet(files[fold]) for fold in sorted(files)], ignore_index=True)
    for metric in Competition.find(name).metrics(config):
        print(_line(metric, frame, config))
    print(f"{len(frame)} samples of {len(files)} of {config.data.n_folds} folds")


def _line(metric: Metric, frame: pd.DataFrame, config: Config) -> str:
    values = [_score(metric, part, config) for _, part in frame.groupby(FOLD)]
    folds = " ".join(f"{value:.4f}" for value in values)
    spread = f"mean {np.mean(values):.4f} ± {np.std(values):.4f}"
    return f"{metric.name}: {folds} | {spread} | pooled {_score(metric, frame, config):.4f}"


def _score(metric: Metric, frame: pd.DataFrame, config: Config) -> float:
    return float(metric.function(*read_oof(frame, config)))
