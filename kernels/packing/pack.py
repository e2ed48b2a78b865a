"""kit kernel pack: one folder per object on Kaggle, each complete in itself."""

import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.commands.chosen import choose_runs
from common.competition import Competition
from common.config import Config, parse_overrides
from common.environment import git_state, runs_dir
from common.errors import KitError

from .closure import Closure, archive_name, distributions, import_closure
from .embed import embed, fill, prove
from .folder import content, empty, report, write_json
from .guard import refuse_absolute_paths, refuse_secrets
from .light import write_light
from .metadata import SUFFIX, dataset_metadata, find_owner, kernel_metadata, name_slug, notebook
from .wheels import PYTHON, fetch_wheels, lacking

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parents[1] / "scripts"
MOST_CODE = 1_000_000  # bytes of a kernel's source that Kaggle takes
PREDICT, TRAIN = "predict", "train"
ENTRIES = {
    PREDICT: ("common.kaggle.machine", "common.kaggle.inputs", "common.inference.outcome"),
    TRAIN: ("common.kaggle.machine", "common.kaggle.inputs", "common.commands.train"),
}
PARTS = {PREDICT: ("predict", "data"), TRAIN: ("config", "data", "train")}
SESSION_HOURS = 11.5  # of the 12 that a session lasts
FINISHING = 0.03  # share of the hours granted that is kept for what follows predicting


def pack_prediction(
    name: str,
    overrides: Sequence[str],
    runs: Sequence[str],
    owner: str,
    as_notebook: bool,
    wheels: Path | None,
    packed: Path | None,
    given_runs: Path | None,
) -> Path:
    """Pack the kernel that predicts with these runs, and what it needs; return the folder."""
    root = runs_dir(given_runs)
    chosen, weights = choose_runs(name, runs, root)
    blended = {"predict.weights": weights} if weights else {}
    config = chosen[0].config.model_copy(update={**blended, **parse_overrides(overrides)})
    limit = config.predict.time_limit or round(config.kernel.hours * (1 - FINISHING), 3)
    folder = empty(packed or root / name / "packed" / PREDICT)
    names = [f"{run.experiment}-fold{run.fold}.pt" for run in chosen]
    for run, file in zip(chosen, names, strict=True):
        write_light(run.best(), folder / "checkpoints" / file)
    facts = {
        "runs": [run.name for run in chosen],
        "checkpoints": names,
        "options": config.predict.model_copy(update={"time_limit": limit}).model_dump(mode="json"),
        "scores": {run.name: run.summary.get("metrics", {}) for run in chosen},
    }
    return _pack(folder, PREDICT, config, facts, find_owner(owner), as_notebook, wheels, root)


def pack_training(
    name: str,
    overrides: Sequence[str],
    experiment: str,
    fold: str,
    owner: str,
    as_notebook: bool,
    wheels: Path | None,
    packed: Path | None,
    given_runs: Path | None,
) -> Path:
    """Pack the kernel that trains an experiment; return the folder."""
    root, competition = runs_dir(given_runs), Competition.find(name)
    config = competition.experiment(experiment).model_copy(update=parse_overrides(overrides))
    limited = [word for word in overrides if not word.startswith("train.time_limit=")]
    limit = config.train.time_limit or SESSION_HOURS
    facts = {
        "runs": [f"{name}/{experiment}/fold{fold}"],
        "experiment": experiment,
        "fold": fold,
        "overrides": [*limited, f"train.time_limit={limit}"],
    }
    folder = empty(packed or root / name / "packed" / TRAIN)
    return _pack(folder, TRAIN, config, facts, find_owner(owner), as_notebook, wheels, root)


def _pack(
    folder: Path,
    kind: str,
    config: Config,
    facts: dict[str, Any],
    owner: str,
    as_notebook: bool,
    wheels: Path | None,
    root: Path,
) -> Path:
    name = config.competition
    entries = [*ENTRIES[kind], *(f"competitions.{name}.{part}" for part in PARTS[kind])]
    closure = import_closure(entries)
    files = _archive(closure)
    texts = {place: file.read_text("utf-8") for place, file in files.items()}
    refuse_secrets(texts)
    refuse_absolute_paths(texts)
    code = embed(files)
    prove(code, list(closure.files))
    pins = lacking(distributions(closure.libraries))
    parts = [part for part, there in (("checkpoints", kind == PREDICT), ("wheels", pins)) if there]
    datasets = {part: f"{owner}/{name_slug(name, part)}" for part in parts}
    fetch_wheels(pins, folder / "wheels", wheels, root / "wheels")
    for part, ref in datasets.items():
        write_json(folder / part / "dataset-metadata.json", dataset_metadata(ref))
    packed = {
        "kind": kind,
        "competition": name,
        "slug": config.slug,
        "owner": owner,
        "kernel": f"{owner}/{name_slug(name, kind)}",
        **git_state(),
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": PYTHON,
        "config": config.model_dump(mode="json"),
        "datasets": datasets,
        **facts,
    }
    _write_kernel(folder, packed, config, code, as_notebook)
    sizes = {str(file.relative_to(folder)): file.stat().st_size for file in content(folder)}
    write_json(folder / "packed.json", {**packed, "files": sizes})
    report(folder, packed, len(closure.files))
    return folder


def _write_kernel(
    folder: Path, packed: dict[str, Any], config: Config, code: str, as_notebook: bool
) -> None:
    kind, kernel_type = packed["kind"], "notebook" if as_notebook else "script"
    script = fill((SCRIPTS / f"{kind}.py").read_text("utf-8"), packed, code)
    refuse_secrets({"the kernel": script})
    text = notebook(script) if as_notebook else script
    if len(text) > MOST_CODE:
        raise KitError(
            f"expected a kernel of at most {MOST_CODE:,} bytes, got {len(text):,}; "
            "keep data out of the competition's folder"
        )
    file = kind + SUFFIX[kernel_type]
    metadata = kernel_metadata(
        packed["kernel"],
        kernel_type,
        file,
        gpu=config.kernel.gpu,
        internet=config.kernel.internet and kind == TRAIN,  # predicting never needs it
        slug=packed["slug"],
        datasets=[*packed["datasets"].values(), *config.kernel.datasets],
        kernels=config.kernel.kernels,
    )
    write_json(folder / "kernel" / "kernel-metadata.json", metadata)
    (folder / "kernel" / file).write_text(text, "utf-8")


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
