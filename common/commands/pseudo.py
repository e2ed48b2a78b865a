"""kit pseudo."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from common.commands.pseudo_cuts import cuts_of, parse_cuts
from common.commands.pseudo_runs import check_unseen, runs_of_all_folds
from common.competition import Competition
from common.config import Config
from common.data.folds import fold_frame
from common.data.pseudo_table import CLASSES, FOLDS, MADE_BY, TEST_IDS, folds_digest
from common.environment import data_dir, runs_dir
from common.errors import KitError, cannot_write
from common.inference.pseudo import Labelled, Rules, label_boxes, label_classes, label_masks
from common.keys import FOLD, IMAGE_ID
from common.runs import Run

# Of a box the probability at the cut: those above it are right more often.
LEAST = {"classification": 0.95, "segmentation": 0.95, "detection": 0.7}
# Unsure pixels count nowhere, but objects that were found unsurely are background to a detector.
DOUBT = {"segmentation": 0.5, "detection": 0.33}
TASKS = {"soft": ("classification",), "doubt": ("segmentation", "detection")}
Label = Callable[[Run, pd.DataFrame], Labelled]


def write_pseudo(
    name: str,
    experiment: str,
    least: float | None,
    top: float,
    doubt: float | None,
    score: str,
    soft: bool,
    given_data: Path | None,
    given_runs: Path | None,
) -> Path:
    """Label the test images by the best checkpoint of each fold, into one file of the experiment.

    Args:
        least: probability from which a class, a pixel or a box is sure; None: as the task has it.
        top: share of the test images, the surest, that are kept.
        doubt: share of a picture's boxes or pixels that may be unsure; None: as the task has it.
        score: of boxes, instead of `least`: scores from which they are sure, see `parse_cuts`.
        soft: probabilities instead of the likeliest class.

    Raises:
        KitError: a fold has no checkpoint or was trained on other folds than there are now; a test
            image is one of the training images; the models of a fold are sure of nothing.
    """
    competition, root = Competition.find(name), runs_dir(given_runs)
    runs = runs_of_all_folds(name, experiment, root)
    config, place = runs[0].config, data_dir(name, given_data)
    rules = rules_of(config, least, top, doubt, score, soft)
    data = competition.module("data")
    test = data.read_test(place)
    frame = fold_frame(runs[0].folds_file, data.read_train(place, config), config)
    check_unseen(runs, frame, test)
    label = _labeller(runs, rules, score)
    path = root / name / f"pseudo-{experiment}.parquet"
    found = [(run, label(run, test)) for run in runs]
    _write(_join(found, frame, test, config), path)
    print("\n".join(_line(run, one, len(test)) for run, one in found))
    again = f"kit train {name} --experiment EXPERIMENT data.pseudo={path} --fold all --name NAME"
    print(f"{path}\ntrain on them, with the overrides of {experiment}: {again}")
    return path


def rules_of(
    config: Config, least: float | None, top: float, doubt: float | None, score: str, soft: bool
) -> Rules:
    """Return the rules, or say which option the task does not have."""
    given = {"soft": soft, "doubt": doubt is not None, "score": bool(score)}
    for option, there in given.items():
        tasks = TASKS.get(option, ("detection",))
        if there and config.task not in tasks:
            raise KitError(f"expected --{option} for {' or '.join(tasks)} alone, leave it out")
    if least is not None and score:
        raise KitError("expected --least or --score, got both; leave one out")
    least = LEAST[config.task] if least is None else least
    doubt = DOUBT.get(config.task, 0.0) if doubt is None else doubt
    rules = Rules(least, top, doubt, soft)
    if not (0 <= rules.least <= 1 and 0 < top <= 1 and 0 <= rules.doubt <= 1):
        raise KitError(
            f"expected --least and --doubt in 0..1 and --top above 0, to 1, got {rules.least}, "
            f"{rules.doubt} and {top}"
        )
    if config.task == "detection" and rules.least <= 0.5:
        raise KitError(f"expected --least above 0.5 for boxes, got {rules.least}: right or wrong")
    return rules


def _labeller(runs: Sequence[Run], rules: Rules, score: str) -> Label:
    task = runs[0].config.task
    if task == "classification":
        return lambda run, test: label_classes(run, test, rules)
    if task == "segmentation":
        return lambda run, test: label_masks(run, test, rules)
    given = parse_cuts(score, runs[0].config) if score else None
    return lambda run, test: label_boxes(
        run, test, rules, given or cuts_of(runs, run.fold, rules.least)
    )


def _join(
    found: Sequence[tuple[Run, Labelled]], frame: pd.DataFrame, test: pd.DataFrame, config: Config
) -> pd.DataFrame:
    tables = [
        one.rows.assign(**{FOLD: run.fold}).assign(**{MADE_BY: run.name}) for run, one in found
    ]
    table = pd.concat(tables, ignore_index=True).assign(**{FOLDS: folds_digest(frame)})
    table.attrs = {CLASSES: list(config.classes), TEST_IDS: test[IMAGE_ID].astype(str).tolist()}
    return table


def _write(table: pd.DataFrame, path: Path) -> None:
    partial = path.with_suffix(".partial")
    try:
        table.to_parquet(partial, index=False)
        partial.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def _line(run: Run, found: Labelled, count: int) -> str:
    """Return how many images a fold's model labelled, and how often which class."""
    return f"fold {run.fold}: {len(found.rows)} of {count} images ({', '.join(found.counts)})"
