"""kit oof."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.commands.oof_decisions import (
    classes_to_predict,
    masks_to_predict,
    say_decisions,
    tune_decisions,
    write_decisions,
)
from common.commands.oof_parts import Parts, score_parts
from common.commands.oof_sureness import against, check_public, sureness
from common.commands.oof_views import say_views
from common.commands.predict import predict_options
from common.competition import Competition
from common.config import Config
from common.environment import runs_dir
from common.errors import KitError
from common.inference.decisions import DECISIONS
from common.keys import FOLD, IMAGE_ID
from common.label_history import LabelHistory, records, say, word_issues
from common.metrics.base import Metric
from common.metrics.nested import Tuned
from common.metrics.testimony import DOUBT, REGION
from common.oof import read_oof
from common.oof_files import Experiment, read_experiment
from common.oof_samples import read_samples
from common.runs import Run
from common.train_losses import confirm, learnt_late

PUBLIC = 0.3  # share of the test set on the public leader board, unless told
LISTED = 10  # label issues that are printed
TRAIN_LOSS = "train_loss"  # column: of a sample, where it was learnt from


def score_out_of_fold(
    name: str,
    experiment: str,
    given_runs: Path | None,
    public: float = PUBLIC,
    rival: str = "",
    tta: bool = False,
    given_data: Path | None = None,
    parts: bool = False,
    overrides: Sequence[str] = (),
) -> None:
    """Print every metric per fold, their mean and spread, pooled, and how sure that is.

    Below that the labels that are probably wrong; `label_issues.csv` beside the folds has them all.

    Args:
        public: share of the test set that the public leader board shows.
        experiment: or a blend.
        rival: another experiment or blend, compared on the samples that both have.
        tta: predict the folds again with each set of views.
        parts: predict masks whole again, and tune the least area of a part.
        overrides: `predict.key=value`, of what the runs' config says, for `parts`.
    """
    check_public(public)
    competition = Competition.find(name)
    root = runs_dir(given_runs)
    found = read_experiment(root, name, experiment)
    other = read_experiment(root, name, rival) if rival else None
    config, frame = found.config, found.frame
    if overrides and not parts:
        remedy = "add it" if config.task == "segmentation" else "kit predict takes it"
        raise KitError(f"expected --parts (of masks) with '{overrides[0]}'; {remedy}")
    if parts and found.is_blend:
        raise KitError(
            f"expected an experiment with --parts, got {found.name}; name one of its own"
        )
    if parts and config.task != "segmentation":
        raise KitError(f"expected masks with --parts, got {config.task}; leave it out")
    options = predict_options(found.runs[0].best(), overrides) if overrides else None
    samples = read_samples(frame, config)
    decided: dict[str, list[Tuned]] = {}
    for metric in competition.metrics(config):
        print(_line(metric, frame, config))
        decided[metric.name] = tune_decisions(metric, samples, config)
        for line in (
            *sureness(metric, samples, public),
            *say_decisions(decided[metric.name], config),
        ):
            print(line)
    print(f"{len(frame)} samples of {len(found.folds)} of {config.data.n_folds} folds")
    whole = options or config.predict
    tuned_parts = score_parts(name, found, whole, given_data, public) if parts else None
    if tuned_parts:
        print("\n".join(tuned_parts.lines))
    _keep(found, decided, tuned_parts)
    if other:
        print("\n".join(against(name, found, other, public)))
    if tta:
        print("\n".join(say_views(name, found, given_data)))
    _show_issues(found.runs)


def _keep(found: Experiment, decided: dict[str, list[Tuned]], parts: Parts | None) -> None:
    """Write what was tuned, and what `kit predict` takes of it."""
    file = found.folder / DECISIONS
    if found.config.task != "segmentation":
        tuned = decided.get(found.config.metric, [])
        write_decisions(decided, file, classes_to_predict(found.runs, tuned, found.config))
        return
    predict = masks_to_predict(
        found.runs, decided[found.config.metric], parts.predict if parts else None, file
    )
    write_decisions({**decided, **(parts.decided if parts else {})}, file, predict)


def _show_issues(runs: Sequence[Run]) -> None:
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
