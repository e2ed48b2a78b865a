"""Where expected grades are cut into grades: what `kit oof` found best, and predicting follows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.config import Config
from common.metrics.rules import GRADE_RULE, expected_class

DECISIONS = "decisions.json"  # beside the folds of an experiment: what was tuned, by metric
CUT = "grade_cut_"  # key of a checkpoint's thresholds, followed by the number of the cut


def grade_cuts(checkpoint: Path, content: Mapping[str, Any]) -> list[float]:
    """Return the `K - 1` cut points to predict with; none where grades are not to be cut.

    Those of `decisions.json` beside the checkpoint's fold if they did no worse than halves, nested
    by fold, and no fold was trained since; else those that packing put into the checkpoint; else
    halves.

    Args:
        content: of the checkpoint.
    """
    config = Config.model_validate(content["config"])
    usual = [place + 0.5 for place in range(len(config.classes) - 1)]
    if config.target != "ordinal":
        return []
    kept = content.get("thresholds") or {}
    packed = [kept[f"{CUT}{place}"] for place in range(len(usual)) if f"{CUT}{place}" in kept]
    tuned = _read(checkpoint.parent.parent.parent, config)
    return tuned or (packed if len(packed) == len(usual) else usual)


def as_thresholds(cuts: Sequence[float]) -> dict[str, float]:
    """Return cut points as a checkpoint keeps them."""
    return {f"{CUT}{place}": cut for place, cut in enumerate(cuts)}


def cut_grades(probs: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Return `(N, K)` zeros and a one at the grade of each of `(N, K)` probabilities."""
    grades = np.searchsorted(np.asarray(cuts), expected_class(probs), "right")
    return np.eye(probs.shape[1], dtype=np.float32)[grades]


def _read(experiment: Path, config: Config) -> list[float]:
    """Return what `kit oof` tuned for the competition's metric; nothing if it is no use."""
    file = experiment / DECISIONS
    if not file.is_file():
        return []
    found = json.loads(file.read_text()).get(config.metric, {}).get(GRADE_RULE)
    if not found or len(found["values"]) != len(config.classes) - 1:
        return []
    newer = [
        oof for oof in experiment.glob("fold*/oof.parquet")
        if oof.stat().st_mtime > file.stat().st_mtime
    ]  # fmt: skip
    if newer:
        print(
            f"warning: '{file}' is older than '{newer[0]}', so that grades are cut at halves; "
            "kit oof tunes them anew",
            flush=True,
        )
        return []
    nested = found["nested"]
    return found["values"] if nested is None or nested >= (found["usual"] or -np.inf) else []
