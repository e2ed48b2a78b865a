"""Finding pretrained weights where there is no network: a file, a folder, a Kaggle input."""

import os
from pathlib import Path
from typing import Any

from common.errors import KitError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def weights_arguments(name: str, weights: str) -> dict[str, Any]:
    """Return the arguments that make `timm.create_model(name, ...)` load `weights`.

    Args:
        name: timm name, such as `resnet18.a1_in1k`.
        weights: `none`, `pretrained` (a local copy if there is one, else the hub), or a path of a
            file or of a folder that holds one named after the model.
    """
    if weights == "none":
        return {"pretrained": False}
    file = find_weights(name) if weights == "pretrained" else _resolve(name, Path(weights))
    if file is None:
        return {"pretrained": True}
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file), "hf_hub_id": None}}


def find_weights(name: str, roots: list[Path] | None = None) -> Path | None:
    """Return a local weights file named after the model, from KIT_WEIGHTS or Kaggle's inputs."""
    for root in _roots() if roots is None else roots:
        if found := _in_folder(name, root):
            return found
    return None


def _roots() -> list[Path]:
    named = os.environ.get("KIT_WEIGHTS")
    kaggle = Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))
    return ([Path(named)] if named else []) + [kaggle]


def _resolve(name: str, path: Path) -> Path:
    found = path if path.is_file() else _in_folder(name, path)
    if found is None:
        raise KitError(
            f"expected weights of {name} in '{path}' (a file, or a folder with one of "
            f"{', '.join(name + suffix for suffix in SUFFIXES)}), found none; "
            "set model.weights to an existing file, to 'pretrained' or to 'none'"
        )
    return found


def _in_folder(name: str, folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    files = sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES)
    # A folder named after the model may hold a file under the hub's own name.
    exact = [file for file in files if file.stem == name]
    inside = [file for file in files if name in file.parts and file.stem.startswith("model")]
    return next(iter(exact + inside), None)
