"""kit kernel pack: one folder per object on Kaggle, each complete in itself."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.blending.keep import PLAN
from common.commands.chosen import choose_runs
from common.commands.train import chosen_folds
from common.competition import Competition
from common.config import Config, expand_files, parse_overrides, refuse_foreign
from common.data.pseudo_move import FOLDS_FILE, check_pseudo, leave
from common.environment import git_state, runs_dir
from common.errors import KitError
from common.learners.early import check_config
from common.runs import write_json

from .closure import distributions
from .code import PREDICT, TRAIN, Code, gather_code
from .embed import fill
from .folder import content, empty, report
from .guard import refuse_secrets
from .light import without_places, write_light
from .metadata import SUFFIX, dataset_metadata, find_owner, kernel_metadata, name_slug, notebook
from .wheels import PYTHON, fetch_wheels, lacking

PSEUDO = "pseudo"  # a part: labels to train on, and the folds that they are for
SCRIPTS = Path(__file__).parents[1] / "scripts"
MOST_CODE = 1_000_000  # bytes of a kernel's source that Kaggle takes
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
    Competition.find(name)  # or say which there are
    root = runs_dir(given_runs)
    chosen, blended = choose_runs(name, runs, root)
    plan = blended.get("predict.blend")
    if plan:
        blended = {**blended, "predict.blend": PLAN}  # beside the checkpoints, there
    config = without_places(chosen[0].config)
    given = parse_overrides(overrides)
    config = config.model_copy(update={**blended, **given})
    refuse_foreign(config, list(given))
    if plan and config.predict.weights:  # or the kernel would be the first to say so
        raise KitError("expected predict.weights or a blend of its own weights, got both; drop one")
    limit = config.predict.time_limit or round(config.kernel.hours * (1 - FINISHING), 3)
    names = [f"{run.experiment}-fold{run.fold}.pt" for run in chosen]
    if len(set(names)) < len(names):
        raise KitError(f"expected runs of different names, got {', '.join(names)}; name each once")
    code = gather_code(PREDICT, config)
    folder = empty(packed or root / name / "packed" / PREDICT)
    for run, file in zip(chosen, names, strict=True):
        write_light(run.best(), folder / "checkpoints" / file)
    if plan:
        shutil.copyfile(plan, folder / "checkpoints" / PLAN)
    facts = {
        "runs": [run.name for run in chosen],
        "checkpoints": names,
        "options": config.predict.model_copy(update={"time_limit": limit}).model_dump(mode="json"),
        "scores": {run.name: run.summary.get("metrics", {}) for run in chosen},
    }
    return _pack(folder, code, config, facts, find_owner(owner), as_notebook, wheels, root)


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
    check_config(competition, config)
    folds = chosen_folds(fold, config)  # or say which there are, before a session is spent
    labels, folds_file = config, root / name / FOLDS_FILE
    if config.data.pseudo:
        check_pseudo(config, folds, folds_file)
        config = config.model_copy(update={"data.pseudo": ""})  # it lies elsewhere there
    ours = ("train.time_limit=", "data.pseudo=")
    limited = [word for word in expand_files(overrides) if not word.startswith(ours)]
    limit = config.train.time_limit or SESSION_HOURS
    facts = {
        "runs": [f"{name}/{experiment}/fold{fold}"],
        "experiment": experiment,
        "fold": fold,
        "overrides": [*limited, f"train.time_limit={limit}"],
    }
    code = gather_code(TRAIN, config)
    folder = empty(packed or root / name / "packed" / TRAIN)
    if labels.data.pseudo:
        leave(labels, folds_file, folder / PSEUDO)
    return _pack(folder, code, config, facts, find_owner(owner), as_notebook, wheels, root)


def _pack(
    folder: Path,
    code: Code,
    config: Config,
    facts: dict[str, Any],
    owner: str,
    as_notebook: bool,
    wheels: Path | None,
    root: Path,
) -> Path:
    name, kind = config.competition, code.kind
    pins = lacking(distributions(code.closure.libraries))
    carried = {"checkpoints": kind == PREDICT, "wheels": pins, PSEUDO: (folder / PSEUDO).is_dir()}
    parts = [part for part, there in carried.items() if there]
    datasets = {part: f"{owner}/{name_slug(name, part)}" for part in parts}
    fetch_wheels(pins, folder / "wheels", wheels, root / "wheels")
    for part, ref in datasets.items():  # each has files by now
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
    _write_kernel(folder, packed, config, code.text, as_notebook)
    sizes = {str(file.relative_to(folder)): file.stat().st_size for file in content(folder)}
    write_json(folder / "packed.json", {**packed, "files": sizes})
    report(folder, packed, len(code.closure.files))
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
    (folder / "kernel").mkdir(exist_ok=True)
    write_json(folder / "kernel" / "kernel-metadata.json", metadata)
    (folder / "kernel" / file).write_text(text, "utf-8")
