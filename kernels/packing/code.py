"""The code that a kernel carries: what its imports need, checked before anything is written."""

import json
import tomllib
from pathlib import Path
from typing import NamedTuple

from common.config import Config

from .closure import Closure, archive_name, import_closure
from .embed import embed, prove
from .guard import refuse_absolute_paths, refuse_secrets

ROOT = Path(__file__).parents[2]
PREDICT, TRAIN = "predict", "train"
ENTRIES = {
    PREDICT: ("common.kaggle.machine", "common.kaggle.inputs", "common.kaggle.every_gpu"),
    TRAIN: (
        *("common.kaggle.machine", "common.kaggle.inputs"),
        *("common.kaggle.train_gpus", "common.data.pseudo_move"),
    ),
}
PARTS = {PREDICT: ("predict", "data"), TRAIN: ("config", "data", "train")}


class Code(NamedTuple):
    """What a kernel runs."""

    kind: str
    text: str  # embedded
    closure: Closure


def gather_code(kind: str, config: Config) -> Code:
    """Return the code, once it is known to be complete and to hold nothing of this machine."""
    entries = [
        *ENTRIES[kind],
        *(f"competitions.{config.competition}.{part}" for part in PARTS[kind]),
    ]
    closure = import_closure(entries)
    files = _archive(closure)
    texts = {place: file.read_text("utf-8") for place, file in files.items()}
    refuse_secrets(texts)
    refuse_absolute_paths(texts | {"the config": json.dumps(config.model_dump(mode="json"))})
    text = embed(files)
    prove(text, list(closure.files))
    return Code(kind, text, closure)


def _archive(closure: Closure) -> dict[str, Path]:
    """Return the files to embed by their path: modules, and what their packages carry as data."""
    found = {archive_name(module, file): file for module, file in closure.files.items()}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package, patterns in declared["package-data"].items():
        if package in closure.files:
            home = closure.files[package].parent
            data = [file for pattern in patterns for file in home.glob(pattern) if file.is_file()]
            found |= {file.relative_to(ROOT).as_posix(): file for file in data}
    return found
