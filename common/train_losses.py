"""The losses of training samples, epoch by epoch: how hard each label is to learn.

A label that contradicts what all others teach is learnt late, if at all (Arpit et al. 2017, Pleiss
et al. 2020). That is another signal than predictions of samples that were never seen: it is kept in
a file of its own, and never mixed up with them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.keys import IMAGE_ID

SUREST = 1 - 1e-7  # doubt


class TrainLosses:
    """A table of a row per training sample and a column per epoch; NaN: not seen in it.

    Args:
        ids: of the samples, by index.
        file: where it is kept; None: nowhere.
    """

    def __init__(self, ids: Sequence[str], file: Path | None = None) -> None:
        self.file = file
        self.table = pd.DataFrame(index=pd.Index(list(ids), name=IMAGE_ID))

    def resume(self, before: int) -> None:
        """Take over what the file holds of the epochs up to `before`."""
        if self.file and self.file.exists():
            table = pd.read_parquet(self.file).set_index(IMAGE_ID)
            kept = [name for name in table if int(str(name)) <= before]
            self.table = table[kept].reindex(self.table.index)

    def add(self, epoch: int, index: np.ndarray, losses: np.ndarray) -> None:
        """Add an epoch from `(M,)` losses of the samples that it saw."""
        column = np.full(len(self.table), np.nan, np.float32)
        column[index] = losses
        self.table[str(epoch)] = column
        if self.file:
            partial = self.file.with_suffix(".partial")
            self.table.reset_index().to_parquet(partial, index=False)
            partial.replace(self.file)


def learnt_late(files: Sequence[Path]) -> pd.Series:
    """Return by id the mean loss in the later half of the epochs, over runs that learnt from it."""
    means = []
    for file in files:
        table = pd.read_parquet(file).set_index(IMAGE_ID)
        means.append(table.iloc[:, len(table.columns) // 2 :].mean(axis=1))  # NaN is left out
    joined = pd.concat(means)
    return joined.groupby(joined.index).mean()


def confirm(doubts: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Return `(N,)` doubts by two signals: that of models that never saw a sample, and its loss.

    1 - the geometric mean of the probabilities that both leave to the label; a NaN says nothing.
    """
    unseen = -np.log1p(-np.minimum(doubts, SUREST))
    both = np.where(np.isfinite(late), (unseen + late) / 2, unseen)
    return -np.expm1(-both)
