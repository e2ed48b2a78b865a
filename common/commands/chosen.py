"""The runs that a command predicts with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.blending.keep import PLAN
from common.commands.runs import find_run
from common.errors import KitError
from common.oof_files import BLEND
from common.runs import Run, find_runs, read_json

Options = dict[str, Any]  # keys and values of the config's `predict` section, by dotted key


def choose_runs(name: str, words: Sequence[str], root: Path) -> tuple[list[Run], Options]:
    """Return the runs to predict with, and what a blend says of how they are combined.

    Args:
        words: a run, an experiment (all its folds) or a blend each; none: the newest run.

    Raises:
        KitError: there is none, one has no best checkpoint or belongs elsewhere, or there is
            another one beside a blend.
    """
    parts = [_members(word, name, root) for word in words]
    if any(options for _, options in parts) and len(parts) > 1:
        raise KitError(f"expected a blend alone, got {', '.join(words)}; blend all of them anew")
    trained = [run for run in find_runs(root, name) if run.best().exists()]
    chosen = [run for runs, _ in parts for run in runs] or trained[-1:]
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
    return chosen, parts[0][1] if parts else {}


def named_runs(word: str, name: str, root: Path) -> list[Run]:
    """Return all folds of an experiment, or the one run of that name or folder."""
    known = find_runs(root, name)
    folds = [run for run in known if word in (run.experiment, f"{name}/{run.experiment}")]
    return sorted(folds, key=lambda run: run.fold) or [find_run(word, root, name)]


def _members(word: str, name: str, root: Path) -> tuple[list[Run], Options]:
    folder = next((f for f in (root / name / word, root / word) if (f / BLEND).is_file()), None)
    if folder is None:
        return named_runs(word, name, root), {}
    blend = read_json(folder / BLEND)
    if "runs" not in blend:
        raise KitError(
            f"expected a blend that names its runs, '{folder}' is of an earlier version of the "
            "kit; blend anew"
        )
    shares = blend["weights"] or [1 / len(blend["members"])] * len(blend["members"])
    pairs = list(zip(blend["runs"], shares, strict=True))
    needed = [(names, share) for names, share in pairs if share > 0]
    runs = [find_run(run, root) for names, _ in needed for run in names]
    if (folder / PLAN).is_file():
        plan = {"predict.blend": str((folder / PLAN).resolve()), "predict.weights": []}
        return runs, {**plan, **blend["predict"]}
    weights = [share / len(names) for names, share in needed for _ in names]
    return runs, {"predict.weights": weights, **blend["predict"]}
