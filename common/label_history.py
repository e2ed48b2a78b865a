"""What the best epochs of a run say against labels: a file that survives a resume."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.config import Config
from common.keys import IMAGE_ID, LOSS
from common.metrics.testimony import DOUBT, GIVEN, KIND, REGION, SUGGESTED, WRONG_CLASS, pool

EPOCH, LOSSES = "epoch", "losses"
MOST = 4  # epochs that are kept; memory and file are bounded whatever the length of a training
SHARE = 0.25  # of the epochs so far; unripe and overfitted ones are no witnesses


class LabelHistory:
    """The testimonies of the epochs with the lowest validation losses.

    Only those of validation: what a model says of samples that it learnt from says how well it
    remembers their labels, wrong or not.

    Args:
        file: where it is kept; None: nowhere.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.losses: dict[int, float] = {}  # of every epoch
        self.said: dict[int, pd.DataFrame] = {}  # of the best ones

    @classmethod
    def read(cls, file: Path, before: int | None = None) -> "LabelHistory":
        """Return what a file holds, of the epochs up to `before` only, if that is given."""
        history = cls(file)
        frame = pd.read_parquet(file)
        losses = {int(epoch): loss for epoch, loss in frame.attrs[LOSSES].items()}
        history.losses = {e: loss for e, loss in losses.items() if before is None or e <= before}
        parts = dict(list(frame.groupby(EPOCH)))
        for epoch in frame.attrs["kept"]:
            if epoch in history.losses:
                rows = parts.get(epoch, frame[:0])
                history.said[epoch] = rows.drop(columns=EPOCH).reset_index(drop=True)
        return history

    def hear(self, epoch: int, loss: float, rows: pd.DataFrame) -> None:
        """Add an epoch, and forget the worst of more than MOST.

        Args:
            loss: mean over the validation; not finite: nothing is to be learnt from the epoch.
        """
        self.losses[epoch] = float(loss) if np.isfinite(loss) else float("inf")
        self.said[epoch] = rows
        self.said = {key: self.said[key] for key in _best(self.losses, self.said, MOST)}
        if self.file:
            self.write(self.file)

    def write(self, file: Path) -> None:
        """Write it whole or not at all."""
        parts = [rows.assign(**{EPOCH: epoch}) for epoch, rows in self.said.items()]
        frame = pd.concat(parts, ignore_index=True)
        frame.attrs = {LOSSES: {str(k): v for k, v in self.losses.items()}, "kept": [*self.said]}
        partial = file.with_suffix(".partial")
        frame.to_parquet(partial, index=False)
        partial.replace(file)

    def verdict(self) -> pd.DataFrame:
        """Return what the best epochs say together, the surest first."""
        count = max(1, round(len(self.losses) * SHARE))
        return pool([self.said[epoch] for epoch in _best(self.losses, self.said, count)])


def _best(losses: Mapping[int, float], known: Mapping[int, pd.DataFrame], count: int) -> list[int]:
    return sorted(sorted(known, key=lambda epoch: (losses[epoch], epoch))[:count])


def word_issues(issues: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return issues for people: names of classes, numbers that can be read."""
    names = np.array([*config.classes, ""], object)  # NOTHING is the last
    words = issues[[IMAGE_ID, KIND]].copy()
    words[GIVEN], words[SUGGESTED] = names[issues[GIVEN]], names[issues[SUGGESTED]]
    for column, digits in ((DOUBT, 4), (LOSS, 4), *((side, 1) for side in REGION)):
        if column == DOUBT or (column in issues and issues[column].notna().any()):
            words[column] = issues[column].astype(float).round(digits)
    return words


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, each by column."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def say(words: Mapping[str, Any]) -> str:
    """Return in one line what is wrong with a label, from a row of `word_issues`."""
    kind, given, suggested = words[KIND], words[GIVEN], words[SUGGESTED]
    if kind == WRONG_CLASS:
        return f"{given} → {suggested}"
    return f"{kind} {given or suggested}"
