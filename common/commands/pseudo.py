"""kit pseudo."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from common.competition import Competition
from common.config import Config
from common.data.files import some
from common.data.folds import fold_frame
from common.data.pseudo_table import (
    FOLDS,
    MADE_BY,
    SEVERAL,
    folds_digest,
    pseudo_rows,
    sureness,
    surest,
)
from common.environment import data_dir, runs_dir
from common.errors import KitError, cannot_write, did_you_mean
from common.keys import FOLD, IMAGE_ID, LABEL, PROBABILITY
from common.runs import Run, find_runs


def write_pseudo(
    name: str,
    experiment: str,
    least: float,
    top: float,
    soft: bool,
    given_data: Path | None,
    given_runs: Path | None,
) -> Path:
    """Label the test images by the best checkpoint of each fold, into one file of the experiment.

    Args:
        least: probability of a label that is kept.
        top: share of the test images, the surest, that are kept.
        soft: probabilities instead of the likeliest class.

    Raises:
        KitError: a fold has no checkpoint or was trained on other folds than there are now; a test
            image is one of the training images; the models of a fold are sure of nothing.
    """
    if not (0 <= least <= 1 and 0 < top <= 1):
        raise KitError(f"expected --least in 0..1 and --top above 0, to 1, got {least} and {top}")
    competition, root = Competition.find(name), runs_dir(given_runs)
    runs = _all_folds(name, experiment, root)
    config, place = runs[0].config, data_dir(name, given_data)
    data = competition.module("data")
    test = data.read_test(place)
    frame = fold_frame(runs[0].folds_file, data.read_train(place, config), config)
    _check_unseen(runs, frame, test)
    tables = [_label(run, test, least, top, soft).assign(**{FOLD: run.fold}) for run in runs]
    digest = folds_digest(frame)
    table = pd.concat(tables, ignore_index=True).assign(**{FOLDS: digest})
    path = root / name / f"pseudo-{experiment}.parquet"
    _write(table, path)
    print("\n".join(_lines(tables, len(test), config)))
    again = f"kit train {name} --experiment EXPERIMENT data.pseudo={path} --fold all --name NAME"
    print(f"{path}\ntrain on them, with the overrides of {experiment}: {again}")
    return path


def _all_folds(name: str, experiment: str, root: Path) -> list[Run]:
    known = [run for run in find_runs(root, name) if run.best().exists()]
    runs = sorted((run for run in known if run.experiment == experiment), key=lambda run: run.fold)
    if not runs:
        others = sorted({run.experiment for run in known})
        hint = f"{did_you_mean(experiment, others)}; or " if others else ""
        raise KitError(
            f"expected a trained experiment {name}/{experiment} in '{root}', found none; "
            f"{hint}kit train {name} --experiment {experiment} --fold all"
        )
    config = runs[0].config
    if config.kind != "classification":
        raise KitError(f"expected a classification to label by, {name} is {config.kind}")
    lacking = sorted(set(range(config.data.n_folds)) - {run.fold for run in runs})
    if lacking:
        raise KitError(
            f"expected a trained model of each of {config.data.n_folds} folds, {name}/{experiment} "
            f"lacks {some(lacking)}: each fold learns from labels of its own model alone; kit "
            f"train {name} --experiment {experiment} --fold {lacking[0]}"
        )
    for run in runs:
        if (run.config.classes, run.config.multilabel) != (config.classes, config.multilabel):
            raise KitError(
                f"expected the classes {some(config.classes)} in all folds, {run.name} has "
                f"{some(run.config.classes)}; train it anew"
            )
    return runs


def _check_unseen(runs: Sequence[Run], frame: pd.DataFrame, test: pd.DataFrame) -> None:
    """Raise unless each run validated on what its fold is now, and no test image is trained on."""
    both = sorted(set(frame[IMAGE_ID].astype(str)) & set(test[IMAGE_ID].astype(str)))
    if both:
        raise KitError(
            f"expected test images apart from the training images, {len(both)} ids are of both: "
            f"{some(both)}; name them otherwise in competitions/<name>/data.py, or drop them"
        )
    for run in runs:
        now = set(frame.loc[frame[FOLD] == run.fold, IMAGE_ID].astype(str))
        there = run.oof_file.exists()
        if not there or set(pd.read_parquet(run.oof_file, columns=[IMAGE_ID])[IMAGE_ID]) != now:
            what = "was trained on other folds" if there else "has no out-of-fold predictions"
            raise KitError(
                f"expected runs that never saw what their fold validates on, {run.name} {what} "
                f"('{run.folds_file}' says which there are now); train it anew"
            )


def _label(run: Run, test: pd.DataFrame, least: float, top: float, soft: bool) -> pd.DataFrame:
    from common.inference.classification import predict_classes
    from common.inference.outcome import last_outcome
    from common.inference.predict import options_of

    config = run.config
    # Who has run out of time gives images the mean of others, which is no label.
    options = options_of([run.best()], None).model_copy(update={"time_limit": 0})
    said = predict_classes([run.best()], test, options, decide=False)
    probs = said[list(config.classes)].to_numpy()
    rows = test.assign(**{IMAGE_ID: test[IMAGE_ID].astype(str)})
    readable = ~rows[IMAGE_ID].isin(last_outcome().broken_ids).to_numpy()
    rows, probs = rows[readable], probs[readable]
    sure = sureness(probs, config.multilabel)
    kept = surest(sure, least, top)
    if not len(kept):
        raise KitError(
            f"expected images of which {run.name} is sure by {least:g}, the surest of {len(sure)} "
            f"is at {sure.max():.3f}; lower --least, raise --top or train longer"
        )
    found = pseudo_rows(rows.iloc[kept], probs[kept], config.classes, config.multilabel, soft)
    return found.assign(**{MADE_BY: run.name})


def _write(table: pd.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        table.to_parquet(partial, index=False)
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _lines(tables: Sequence[pd.DataFrame], count: int, config: Config) -> list[str]:
    """Return for each fold how many images it labelled, and how often which class."""
    lines = []
    for table in tables:
        per_class = ", ".join(f"{c} {_count(table, c, config):.4g}" for c in config.classes)
        lines.append(f"fold {table[FOLD].iloc[0]}: {len(table)} of {count} images ({per_class})")
    return lines


def _count(table: pd.DataFrame, name: str, config: Config) -> float:
    if LABEL in table:
        return float((table[LABEL] == name).sum())
    prefix = SEVERAL if f"{SEVERAL}{name}" in table else PROBABILITY
    return float(table[f"{prefix}{name}"].sum())
