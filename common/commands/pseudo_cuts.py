"""From which score on a box is a label: found out of fold, or given."""

from collections.abc import Sequence

import pandas as pd

from common.config import Config
from common.errors import KitError, did_you_mean
from common.metrics.box_cuts import Cut, find_cuts
from common.oof import read_oof
from common.oof_files import read_oof_file
from common.runs import Run

HOW = "give --score SURE or UNSURE..SURE, or CLASS=SURE,CLASS=UNSURE..SURE"


def cuts_of(runs: Sequence[Run], fold: int, least: float) -> list[Cut]:
    """Return the cuts for what a fold's model finds, learnt from the other folds alone.

    What the fold itself validates on has no part in the labels that it learns from.
    """
    config = runs[0].config
    others = [read_oof_file(run.oof_file) for run in runs if run.fold != fold]
    targets, predictions = read_oof(pd.concat(others, ignore_index=True), config)
    return find_cuts(targets, predictions, len(config.classes), least)


def parse_cuts(text: str, config: Config) -> list[Cut]:
    """Return the cut of each class from `0.6`, `0.3..0.6` or `cat=0.6,dog=0.3..0.5`.

    Without a lower end no box is unsure: what is no label is nothing.

    Raises:
        KitError: an unknown class, a class without a score, or no score.
    """
    if "=" not in text:
        return [_cut(text)] * len(config.classes)
    named = dict(_named(word, config) for word in text.split(","))
    lacking = [name for name in config.classes if name not in named]
    if lacking:
        raise KitError(f"expected --score of each class, got none of {', '.join(lacking)}; {HOW}")
    return [named[name] for name in config.classes]


def _named(word: str, config: Config) -> tuple[str, Cut]:
    name, _, value = word.partition("=")
    if name not in config.classes:
        hint = did_you_mean(name, config.classes)
        raise KitError(f"expected classes in --score, got '{name}'; {hint}")
    return name, _cut(value)


def _cut(text: str) -> Cut:
    low, dots, high = text.rpartition("..")
    try:
        cut = Cut(float(low if dots else high), float(high))
    except ValueError:
        raise KitError(f"expected scores, got --score '{text}'; {HOW}") from None
    if not 0 <= cut.unsure <= cut.sure <= 1:
        raise KitError(f"expected ascending scores from 0 to 1, got --score '{text}'; {HOW}")
    return cut
