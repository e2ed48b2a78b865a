"""Files that hold all that resuming and predicting need, written whole or not at all."""

import os
import random
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common.errors import KitError, cannot_write
from common.sealed import find_damage, sync_folder, write_sealed

PARTIAL = ".partial"  # ending of a file that is being written
FORMAT = 2  # raised when a reader of older checkpoints would go wrong


class DamagedCheckpoint(KitError):
    """The file is not what was written: torn, cut off, or with a bit that flipped."""


def save_checkpoint(path: Path, content: Mapping[str, Any], keep: Path | None = None) -> None:
    """Write tensors and plain values atomically; an earlier file stays until the new one is whole.

    Args:
        keep: where the earlier file goes then.

    Raises:
        KitError: the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(partial, {"format": FORMAT, **content})
        if keep and path.exists():
            path.replace(keep)
        partial.replace(path)
        sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        kept = "the earlier file is untouched" if path.exists() else "nothing was written"
        raise cannot_write(path, error, f"{kept}; ") from error


def same_checkpoint(path: Path, other: Path) -> None:
    """Give a checkpoint a second name, without writing it again where the file system can."""
    partial = other.with_name(f".{other.name}.{os.getpid()}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        try:
            partial.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, partial)
        partial.replace(other)
    except OSError as error:
        raise cannot_write(other, error) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; holds only tensors and plain values, so loading is safe.

    Raises:
        DamagedCheckpoint: it is not what was written.
        KitError: there is none, or it is of another version.
    """
    if not path.is_file():
        raise KitError(f"expected a checkpoint at '{path}', found none; has the run saved one yet?")
    try:
        damage = find_damage(path)
        content = {} if damage else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no torch file shows up as any of a dozen types
        damage = str(error).strip().partition("\n")[0]
    if damage:
        raise DamagedCheckpoint(
            f"expected a readable checkpoint at '{path}', got: {damage}; the file is damaged, "
            "use another one of the run"
        )
    if content.get("format") != FORMAT:
        raise KitError(
            f"expected a checkpoint of format {FORMAT} at '{path}', got {content.get('format')}; "
            "use the version of the kit that wrote it"
        )
    return content


def load_newest(paths: Sequence[Path]) -> tuple[Path, dict[str, Any]]:
    """Return the first checkpoint that is whole, with its path; each damaged one is said.

    Args:
        paths: newest first; those that do not exist are passed over.

    Raises:
        DamagedCheckpoint: none is whole.
    """
    there = [path for path in paths if path.is_file()]
    for place, path in enumerate(there):
        try:
            return path, load_checkpoint(path)
        except DamagedCheckpoint as error:
            if place + 1 == len(there):
                raise DamagedCheckpoint(
                    f"{error}; there is none before it: train anew with --name, or delete the run"
                ) from None
            print(f"warning: {error}; taking the one before, '{there[place + 1].name}'", flush=True)
    raise KitError(f"expected one of {', '.join(map(str, paths))}, found none")


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
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
