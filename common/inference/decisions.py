"""What `kit oof` decided on, for predicting with it."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.checkpoints import load_checkpoint
from common.config import PredictConfig
from common.errors import KitError
from common.inference.mask_rule import USUAL, USUAL_DISTANCE, MaskRule
from common.inference.predict import options_of
from common.keys import THRESHOLD

DECISIONS = "decisions.json"  # beside the folds: what `kit oof` tuned, by metric, and below:
PREDICT, MODELS = "predict", "models"  # what predicting takes of it; which models it is of
PIXELS = "pixels"  # of PREDICT, for a foreground; objects stand under the name of their method


def mask_rule(checkpoints: Sequence[Path], options: PredictConfig | None = None) -> MaskRule:
    """Return the rule of `predict.masks`; what that leaves open is as it was tuned.

    By `kit oof` out of fold, or else the threshold by each validation. Of several checkpoints it
    is the mean.

    Args:
        options: None = as the first checkpoint's config says.
    """
    masks = options_of(checkpoints, options).masks
    key = PIXELS if masks.instances == "none" else masks.instances
    said = [_said(checkpoint, key) for checkpoint in checkpoints]
    threshold, least, apart = np.mean(said, 0).tolist()
    rule = MaskRule(
        threshold if masks.threshold is None else masks.threshold,
        round(least) if masks.min_area is None else masks.min_area,
        "components" if masks.instances == "none" else masks.instances,
        masks.min_distance or round(apart),
    )
    print(f"masks: {rule}", flush=True)
    return rule


def decided(checkpoint: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `kit oof` tuned for a checkpoint to predict with; empty if nothing.

    It lies in a packed checkpoint, or in the file beside the folds, if that is of this model.
    """
    if PREDICT in content:
        return dict(content[PREDICT])
    places = checkpoint.resolve().parents  # checkpoints, fold, experiment
    file = places[min(2, len(places) - 1)] / DECISIONS
    kept = read_decisions(file)
    if kept.get(PREDICT) and kept.get(MODELS, {}).get(places[1].name) != signature(content):
        warnings.warn(
            f"'{file}' is of other models than '{checkpoint}', so it is left out; kit oof tunes "
            "anew",
            stacklevel=2,
        )
        return {}
    return dict(kept.get(PREDICT, {}))


def read_decisions(file: Path) -> dict[str, Any]:
    """Return what `kit oof` wrote; empty if there is no such file."""
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError) as error:
        raise KitError(
            f"expected what kit oof wrote in '{file}', got: {error}; run it anew"
        ) from None


def signature(content: Mapping[str, Any]) -> str:
    """Return what tells a checkpoint from one of another training: its epoch and scores."""
    return f"epoch {content.get('epoch')}, {sorted(content.get('scores', {}).items())}"


def _said(checkpoint: Path, key: str) -> tuple[float, float, float]:
    """Return threshold, least area and distance for one checkpoint."""
    content = load_checkpoint(checkpoint)
    found = decided(checkpoint, content).get(key)
    if found:
        return found["threshold"], found["min_area"], found.get("min_distance", USUAL_DISTANCE)
    return content["thresholds"].get(THRESHOLD, USUAL), 0, USUAL_DISTANCE
