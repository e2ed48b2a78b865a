"""Runs of earlier sessions, found in folders that are attached and read-only."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.checkpoints import load_newest
from common.errors import KitError, cannot_write
from common.run_lock import LOCK
from common.runs import Run

DEPTH = 5  # folders below an input in which a runs folder is looked for


def fetch_run(run: Run) -> bool:
    """Copy a run of the same name from the attached inputs, unless it is here already.

    Inputs are the folders that KIT_RUNS_FROM lists, else Kaggle's. Of several the one that got
    furthest is taken. The folds that it was trained on come along.

    Returns:
        Whether one was found.
    """
    if run.config_file.exists():
        return False
    found = [other for other in find_inputs(run) if other.folder.resolve() != run.folder.resolve()]
    if not found:
        return False
    source = max(found, key=progress)
    _check_folds(source, run)
    try:
        if source.folds_file.exists():
            run.folds_file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folds_file, run.folds_file)
        copy_run(source, run)
    except OSError as error:
        raise cannot_write(run.folder, error) from error
    print(f"going on with the run of an earlier session: '{source.folder}'", flush=True)
    return True


def find_inputs(run: Run) -> Iterator[Run]:
    """Yield the runs of the same competition, experiment and fold below the inputs."""
    place = Path(*run.folder.absolute().parts[-3:])
    for root in input_roots():
        for folder, names, _ in os.walk(root):
            if len(Path(folder).relative_to(root).parts) >= DEPTH:
                names.clear()
            names.sort()
            if (Path(folder) / place / run.config_file.name).is_file():
                yield Run(Path(folder) / place)


def input_roots() -> list[Path]:
    """Return the folders that hold what other sessions left."""
    named = os.environ.get("KIT_RUNS_FROM")
    if named:
        return [Path(part) for part in named.split(os.pathsep) if part]
    return [Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))]


def progress(run: Run) -> tuple[bool, int, float]:
    """Return how far a run got: whether it is finished, training batches, time of its summary."""
    summary: dict[str, Any] = run.summary
    try:
        batches = load_newest(run.saved)[1]["training"]["train_iter"]
    except KitError:
        batches = -1
    return summary.get("status") == "finished", batches, summary.get("time", 0.0)


def copy_run(source: Run, target: Run) -> None:
    """Copy a run's files without their permissions, for inputs are read-only.

    The config comes last: a folder without one holds no run and is fetched again.
    """
    files = sorted(path for path in source.folder.rglob("*") if path.is_file())
    for file in sorted(files, key=lambda path: path == source.config_file):
        if file.name != LOCK:
            place = target.folder / file.relative_to(source.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def _check_folds(source: Run, run: Run) -> None:
    ours, theirs = run.folds_file, source.folds_file
    if ours.exists() and theirs.exists() and ours.read_bytes() != theirs.read_bytes():
        raise KitError(
            f"expected the folds that '{source.folder}' was trained on, got others in '{ours}'; "
            f"delete '{ours}' or name another place for runs with --runs"
        )
