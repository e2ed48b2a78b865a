"""Experiments by their out-of-fold files: all folds of one, checked and joined; blends, too."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from common.config import Config
from common.data.files import some
from common.errors import KitError, did_you_mean
from common.keys import FOLD, IMAGE_ID
from common.runs import Run, find_runs, read_json

BLEND = "blend.json"  # what `kit blend` keeps in a folder of its own, beside `oof.parquet`
PREFIX = "blend-"  # of such a folder's name


class Experiment(NamedTuple):
    """What an experiment's folds predicted for the samples that they never saw."""

    name: str
    config: Config
    runs: list[Run]  # those with an out-of-fold file, by ascending fold; a blend has none
    frame: pd.DataFrame  # all of their rows, in that order
    folder: Path  # of all its folds

    @property
    def folds(self) -> list[int]:
        """Which folds there are."""
        return sorted(self.frame[FOLD].unique().tolist())

    @property
    def is_blend(self) -> bool:
        """Whether several experiments were blended into this one."""
        return (self.folder / BLEND).is_file()


def read_experiment(root: Path, competition: str, name: str) -> Experiment:
    """Join the out-of-fold files of an experiment, or read that of a blend.

    Raises:
        KitError: it has none, or a sample is in several folds.
    """
    if name and (root / competition / name / BLEND).is_file():
        return _read_blend(root / competition / name)
    known = [run for run in find_runs(root, competition) if run.oof_file.exists()]
    runs = sorted((run for run in known if run.experiment == name), key=lambda run: run.fold)
    if not runs:
        blends = [file.parent.name for file in (root / competition).glob(f"*/{BLEND}")]
        others = sorted({run.experiment for run in known} | set(blends))
        hint = f"{did_you_mean(name, others)}; or " if others else ""
        raise KitError(
            f"expected out-of-fold predictions of {competition}/{name} in '{root}', found none; "
            f"{hint}{_how_made(competition, name)}"
        )
    frame = pd.concat([read_oof_file(run.oof_file) for run in runs], ignore_index=True)
    _check_once(frame[IMAGE_ID], name)
    return Experiment(name, runs[0].config, runs, frame, runs[0].folder.parent)


def read_oof_file(file: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return out-of-fold predictions.

    Args:
        columns: None = all.

    Raises:
        KitError: the file cannot be read.
    """
    try:
        return pd.read_parquet(file, columns=columns)
    except (OSError, ValueError) as error:  # pyarrow's errors are one or the other
        raise KitError(
            f"expected out-of-fold predictions in '{file}', got: {error}; train the fold again"
        ) from None


def _read_blend(folder: Path) -> Experiment:
    file = folder / "oof.parquet"
    if not file.is_file():
        raise KitError(f"expected out-of-fold predictions of the blend '{file}'; blend anew")
    config = Config.model_validate(read_json(folder / BLEND)["config"])
    return Experiment(folder.name, config, [], read_oof_file(file), folder)


def _how_made(competition: str, name: str) -> str:
    """Return the command that makes an experiment, or a blend, of that name."""
    if name.startswith(PREFIX):
        label = name.removeprefix(PREFIX)
        return f"kit blend {competition} --run EXPERIMENT --run EXPERIMENT --name {label}"
    return f"kit train {competition} --experiment {name} --fold all"


def _check_once(ids: Sequence[str] | pd.Series, name: str) -> None:
    twice = pd.Series(ids)[pd.Series(ids).duplicated()]
    if len(twice):
        raise KitError(
            f"expected every sample of {name} in one fold, {len(twice)} are in several: "
            f"{some(twice)}; its folds were made anew in between, train all of them again"
        )
