"""Files that hold all that resuming and predicting need, written whole or not at all."""

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.errors import KitError

FORMAT = 1  # raised when a reader of older checkpoints would go wrong


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values atomically; an earlier file stays until the new one is whole.

    Raises:
        KitError: the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        partial.unlink(missing_ok=True)
        kept = "the earlier file is untouched" if path.exists() else "nothing was written"
        raise KitError(
            f"expected to save '{path}', got: {error}; {kept}; free disk space or name another "
            "place with --runs or KIT_RUNS"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; holds only tensors and plain values, so loading is safe."""
    if not path.is_file():
        raise KitError(f"expected a checkpoint at '{path}', found none; has the run saved one yet?")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a cut zip file shows up as any of a dozen types
        raise KitError(
            f"expected a readable checkpoint at '{path}', got: {error}; the file is damaged, "
            "use another one of the run"
        ) from error
    if content.get("format") != FORMAT:
        raise KitError(
            f"expected a checkpoint of format {FORMAT} at '{path}', got {content.get('format')}; "
            "use the version of the kit that wrote it"
        )
    return content


def random_state() -> dict[str, Any]:
    """Return the state of every generator that training draws from, as plain values."""
    version, numbers, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [name, keys.tolist(), position, has_gauss, cached],  # type: ignore[union-attr]
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Put back what `random_state` returned."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
