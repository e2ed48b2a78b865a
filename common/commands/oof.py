"""kit oof."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.competition import Competition
from common.config import Config
from common.environment import runs_dir
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID
from common.label_history import LabelHistory, records, say, word_issues
from common.metrics.base import Metric
from common.metrics.testimony import DOUBT, REGION
from common.oof import read_oof
from common.runs import Run, find_runs
from common.train_losses import confirm, learnt_late

LISTED = 10  # label issues that are printed
TRAIN_LOSS = "train_loss"  # column: of a sample, where it was learnt from


def score_out_of_fold(name: str, experiment: str, given_runs: Path | None) -> None:
    """Print every metric per fold, their mean and spread, and pooled over all folds.

    Below that the labels that are probably wrong; `label_issues.csv` beside the folds has them all.
    """
    root = runs_dir(given_runs)
    runs = [run for run in find_runs(root, name) if run.experiment == experiment]
    runs = [run for run in runs if run.oof_file.exists()]
    files = {run.fold: run.oof_file for run in runs}
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
    issues = gather_issues(runs)
    if issues is not None:
        file = runs[0].folder.parent / runs[0].label_issues_file.name
        issues.to_csv(file, index=False)
        _print_issues(issues, file)


def gather_issues(runs: Sequence[Run]) -> pd.DataFrame | None:
    """Return the label issues of all folds in one ranked table; None if no run looked for them.

    Where other folds have learnt from a sample, how late they did confirms the doubt or not.
    """
    heard = [run for run in runs if run.label_history_file.exists()]
    if not heard:
        return None
    tables = []
    for run in heard:
        found = LabelHistory.read(run.label_history_file).verdict()
        tables.append(word_issues(found, run.config).assign(**{FOLD: run.fold}))
    joined = pd.concat(tables, ignore_index=True)
    learnt = [run.train_losses_file for run in heard if run.train_losses_file.exists()]
    if learnt:
        joined[TRAIN_LOSS] = joined[IMAGE_ID].map(learnt_late(learnt)).astype(float)
        joined[DOUBT] = confirm(joined[DOUBT].to_numpy(float), joined[TRAIN_LOSS].to_numpy())
    return joined.sort_values([DOUBT, IMAGE_ID], ascending=[False, True], ignore_index=True)


def _print_issues(issues: pd.DataFrame, file: Path) -> None:
    print(f"labels that are probably wrong, {min(LISTED, len(issues))} of {len(issues)} in {file}:")
    for row in records(issues.head(LISTED)):
        sides = [row[side] for side in REGION if side in row]
        where = " at " + ", ".join(f"{side:.0f}" for side in sides) if sides else ""
        print(f"  {row[DOUBT]:.3f}  {row[IMAGE_ID]}: {say(row)}{where}")


def _line(metric: Metric, frame: pd.DataFrame, config: Config) -> str:
    values = [_score(metric, part, config) for _, part in frame.groupby(FOLD)]
    folds = " ".join(f"{value:.4f}" for value in values)
    spread = f"mean {np.mean(values):.4f} ± {np.std(values):.4f}"
    return f"{metric.name}: {folds} | {spread} | pooled {_score(metric, frame, config):.4f}"


def _score(metric: Metric, frame: pd.DataFrame, config: Config) -> float:
    return float(metric.function(*read_oof(frame, config)))
