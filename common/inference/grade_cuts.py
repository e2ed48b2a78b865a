"""Where expected grades are cut into grades: what `kit oof` found best, else halves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.config import Config
from common.errors import KitError
from common.inference.decisions import decided
from common.metrics.rules import expected_class

GRADES = "grades"  # of what `kit oof` decided on for predicting: the cut points


def usual_cuts(config: Config) -> list[float]:
    """Return the `K - 1` halves between grades, which round the expected grade."""
    return [place + 0.5 for place in range(len(config.classes) - 1)]


def grade_cuts(checkpoint: Path, content: Mapping[str, Any]) -> list[float]:
    """Return the `K - 1` cut points to predict with.

    Args:
        content: of the checkpoint, whose target is ordinal.
    """
    usual = usual_cuts(Config.model_validate(content["config"]))
    tuned = decided(checkpoint, content).get(GRADES, usual)
    return [float(cut) for cut in tuned] if len(tuned) == len(usual) else usual


def check_cuts(given: Sequence[float], own: list[float]) -> list[float]:
    """Return the cut points that were given, or a checkpoint's own where none were.

    Raises:
        KitError: there are too few or too many, or they do not ascend.
    """
    if not given:
        return own
    if len(given) != len(own) or list(given) != sorted(given):
        raise KitError(
            f"expected {len(own)} ascending numbers in predict.grade_cuts, one fewer than grades, "
            f"got {', '.join(f'{cut:g}' for cut in given)}"
        )
    return list(given)


def cut_grades(probs: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Return `(N, K)` zeros and a one at the grade of each of `(N, K)` probabilities."""
    grades = np.searchsorted(np.asarray(cuts), expected_class(probs), "right")
    return np.eye(probs.shape[1], dtype=np.float32)[grades]
