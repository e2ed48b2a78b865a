"""Checkpoints without what only training needs."""

from pathlib import Path
from typing import Any

from common.checkpoints import load_checkpoint, save_checkpoint
from common.config import Config
from common.inference.decisions import PREDICT, decided

NEEDED = ("config", "classes", "weights", "thresholds", "preprocessing", "scores", "epoch")


def write_light(checkpoint: Path, target: Path) -> None:
    """Copy what predicting needs, without the places of files that were only trained with."""
    content: dict[str, Any] = load_checkpoint(checkpoint)
    kept = {key: content[key] for key in NEEDED if key in content}
    if found := decided(checkpoint, content):  # lies beside the folds, which are not packed
        kept[PREDICT] = found
    config = without_places(Config.model_validate(kept["config"]))
    save_checkpoint(target, {**kept, "config": config.model_dump(mode="json")})


def without_places(config: Config) -> Config:
    """Return a config that names no file of this machine."""
    return config.model_copy(update={"model.weights": "none", "data.pseudo": ""})
