"""Decisions tuned on out-of-fold predictions, and what they are worth without optimism.

A threshold scored on the samples that chose it looks better than it is. Nested by fold, each fold
is decided by what the other folds chose, and all of them are scored together.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.errors import KitError

Targets = Any  # (N, ...) array, or a list of N
Predictions = Any
Values = np.ndarray  # what was tuned


class Rule(NamedTuple):
    """A way to decide, tuned on some samples and applied to others."""

    name: str
    fit: Callable[[Targets, Predictions], Values]
    apply: Callable[[Predictions, Values], Predictions]
    score: Callable[[Targets, Predictions], float]  # of what was decided
    usual: Values  # what is taken where nothing is tuned


class Tuned(NamedTuple):
    """What tuning brings."""

    rule: str
    values: Values  # tuned on all folds, which is what to predict with
    usual: float  # score with the usual values
    naive: float  # score of the values on the very samples that chose them: too good
    nested: float  # score of each fold by the values of the others; NaN with one fold


def tune(rule: Rule, target: Targets, prediction: Predictions, folds: np.ndarray) -> Tuned:
    """Return the values that all folds choose, and the three scores.

    Args:
        folds: `(N,)` fold of each sample.
    """
    values = rule.fit(target, prediction)
    usual, naive = (
        float(rule.score(target, rule.apply(prediction, v))) for v in (rule.usual, values)
    )
    if len(np.unique(folds)) < 2:
        return Tuned(rule.name, values, usual, naive, float("nan"))
    decided = by_other_folds(
        lambda rows, others: rule.apply(
            take(prediction, rows), rule.fit(take(target, others), take(prediction, others))
        ),
        folds,
    )
    return Tuned(rule.name, values, usual, naive, float(rule.score(target, decided)))


def by_other_folds(
    decide: Callable[[np.ndarray, np.ndarray], Predictions], folds: np.ndarray
) -> Predictions:
    """Return predictions in the order of the samples, each fold's from what the others teach.

    Args:
        decide: rows of a fold and rows of all others -> predictions of the former.

    Raises:
        KitError: there is one fold only.
    """
    known = np.unique(folds)
    if len(known) < 2:
        raise KitError(f"expected 2 folds or more, got {len(known)}; train the others: --fold all")
    rows = [np.flatnonzero(folds == fold) for fold in known]
    parts = [
        decide(own, np.flatnonzero(folds != fold)) for own, fold in zip(rows, known, strict=True)
    ]
    order = np.argsort(np.concatenate(rows), kind="stable")
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)[order]
    return take([value for part in parts for value in part], order)


def take(values: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """Return the rows of an array or of a list."""
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
