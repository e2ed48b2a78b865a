"""The runs that label the test images: all folds of an experiment, none of which saw its own."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from common.data.files import some
from common.data.windows import picture_of
from common.errors import KitError, did_you_mean
from common.keys import FOLD, IMAGE_ID
from common.oof_files import PREFIX, read_oof_file
from common.runs import Run, find_runs


def runs_of_all_folds(name: str, experiment: str, root: Path) -> list[Run]:
    """Return the run of each fold, by ascending fold.

    Raises:
        KitError: there is no such experiment, a fold has no checkpoint, or classes differ.
    """
    known = [run for run in find_runs(root, name) if run.best().exists()]
    runs = sorted((run for run in known if run.experiment == experiment), key=lambda run: run.fold)
    if not runs and experiment.startswith(PREFIX):
        raise KitError(
            f"expected an experiment, whose fold k labels for fold k, got '{experiment}'; name a "
            "member of the blend"
        )
    if not runs:
        others = sorted({run.experiment for run in known})
        hint = f"{did_you_mean(experiment, others)}; or " if others else ""
        raise KitError(
            f"expected a trained experiment {name}/{experiment} in '{root}', found none; "
            f"{hint}kit train {name} --experiment {experiment} --fold all"
        )
    config = runs[0].config
    if config.kind == "regression":
        raise KitError(
            f"expected classes, masks or boxes to label by, {name}/{experiment} is a regression, "
            "whose numbers do not say how sure they are; blend or train on more folds instead"
        )
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


def check_unseen(runs: Sequence[Run], frame: pd.DataFrame, test: pd.DataFrame) -> None:
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
        if not there or _validated(run) != now:
            what = "was trained on other folds" if there else "has no out-of-fold predictions"
            raise KitError(
                f"expected runs that never saw what their fold validates on, {run.name} {what} "
                f"('{run.folds_file}' says which there are now); train it anew"
            )


def _validated(run: Run) -> set[str]:
    """Return the ids of the images that a run validated on; of masks the rows are windows."""
    ids = read_oof_file(run.oof_file, columns=[IMAGE_ID])[IMAGE_ID]
    return set(ids.map(picture_of) if run.config.task == "segmentation" else ids)
