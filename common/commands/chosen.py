"""The runs that a command works with."""

from collections.abc import Sequence
from pathlib import Path

from common.commands.runs import find_run
from common.errors import KitError
from common.runs import Run, find_runs


def choose_runs(name: str, runs: Sequence[str], root: Path) -> list[Run]:
    """Return the named runs, a whole experiment's folds by its name, or the newest one.

    Raises:
        KitError: there is none, or one has no best checkpoint or belongs elsewhere.
    """
    trained = [run for run in find_runs(root, name) if run.best().exists()]
    chosen = [run for word in runs for run in _named(word, name, root)] or trained[-1:]
    if not chosen:
        raise KitError(
            f"expected a trained run of {name} in '{root}', found none; kit train {name}"
        )
    for run in chosen:
        if not run.best().exists():
            raise KitError(
                f"expected a best checkpoint in every run, {run.name} has none; train it"
            )
        if run.config.competition != name:
            raise KitError(f"expected runs of {name}, got {run.name}; name others")
    return chosen


def _named(word: str, name: str, root: Path) -> list[Run]:
    known = find_runs(root, name)
    folds = [run for run in known if word in (run.experiment, f"{name}/{run.experiment}")]
    return sorted(folds, key=lambda run: run.fold) or [find_run(word, root)]
