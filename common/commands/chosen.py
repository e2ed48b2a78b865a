"""The runs that a command predicts with."""

import json
from collections.abc import Sequence
from pathlib import Path

from common.commands.blend import FILE as BLEND
from common.commands.runs import find_run
from common.errors import KitError
from common.runs import Run, find_runs

LINEAR = ("mean", "hill", "optimise")  # ways of blending that are weighted means


def choose_runs(name: str, words: Sequence[str], root: Path) -> tuple[list[Run], list[float]]:
    """Return the runs to predict with and their weights, which are empty where all are alike.

    Args:
        words: a run, an experiment (all its folds) or a blend each; none: the newest run.

    Raises:
        KitError: there is none, one has no best checkpoint or belongs elsewhere, or a blend is no
            weighted mean.
    """
    parts = [_members(word, name, root) for word in words]
    if any(weights for _, weights in parts) and len(parts) > 1:
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
    return chosen, parts[0][1] if parts else []


def _members(word: str, name: str, root: Path) -> tuple[list[Run], list[float]]:
    folder = next((f for f in (root / name / word, root / word) if (f / BLEND).is_file()), None)
    if folder is None:
        return _named(word, name, root), []
    blend = json.loads((folder / BLEND).read_text())
    if blend["how"] not in LINEAR:
        raise KitError(
            f"expected a blend that is a weighted mean, got {blend['how']} in '{folder}'; keep one "
            f"of {', '.join(LINEAR)} by kit blend --how"
        )
    members = [_named(member, name, root) for member in blend["members"]]
    shares = blend["weights"] or [1 / len(members)] * len(members)
    pairs = list(zip(members, shares, strict=True))
    weights = [share / len(folds) for folds, share in pairs for _ in folds]
    return [run for folds in members for run in folds], weights


def _named(word: str, name: str, root: Path) -> list[Run]:
    known = find_runs(root, name)
    folds = [run for run in known if word in (run.experiment, f"{name}/{run.experiment}")]
    return sorted(folds, key=lambda run: run.fold) or [find_run(word, root)]
