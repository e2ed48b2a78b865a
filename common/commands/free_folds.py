"""Folds that several processes, or machines with a runs folder in common, share among them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import KitError
from common.run_lock import Taken, lock_run, unlock_run
from common.runs import Run


def free_folds(folders: Sequence[Path], resume: bool) -> Iterator[Run]:
    """Yield the runs that are nobody else's, each locked; say which are passed over, and why.

    A lone folder that another process has is an error, for nothing is left to do.

    Args:
        resume: whether runs that are there already may be gone on with. Without it they are an
            error before anything is trained, unless another process is at one of the folds: then
            they are part of the same work, and passed over.

    Raises:
        KitError: as told, or a folder cannot be written.
    """
    if len(folders) == 1:
        lock_run(folders[0])
        yield Run(folders[0])
        return
    if not resume:
        _expect_new(folders)
    for run in map(Run, folders):
        try:
            lock_run(run.folder)
        except Taken as taken:
            print(f"{run.folder}: {taken.owner} is at it; going on with the next fold", flush=True)
            continue
        if run.config_file.exists() and not resume:
            how = "" if run.status == "finished" else "; --resume goes on with it"
            print(f"{run.folder}: {run.status} by another process{how}", flush=True)
            unlock_run(run.folder)
            continue
        yield run


def _expect_new(folders: Sequence[Path]) -> None:
    old = [run for run in map(Run, folders) if run.config_file.exists()]
    if old and not any(_is_taken(run.folder) for run in old):
        raise KitError(
            f"expected new run folders, but '{old[0].folder}' holds a run ({old[0].status}); go on "
            "with all folds by --resume, or store these elsewhere by --name"
        )


def _is_taken(folder: Path) -> bool:
    try:
        lock_run(folder)
    except Taken:
        return True
    unlock_run(folder)
    return False
