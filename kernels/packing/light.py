"""Checkpoints without what only training needs."""

from pathlib import Path
from typing import Any

from common.checkpoints import load_checkpoint, save_checkpoint

NEEDED = ("config", "classes", "weights", "thresholds", "preprocessing", "scores", "epoch")


def write_light(checkpoint: Path, target: Path) -> None:
    """Copy what predicting needs; where the first weights came from is no more than a name."""
    content: dict[str, Any] = load_checkpoint(checkpoint)
    kept = {key: content[key] for key in NEEDED if key in content}
    model = {**kept["config"]["model"], "weights": "none"}
    save_checkpoint(target, {**kept, "config": {**kept["config"], "model": model}})
