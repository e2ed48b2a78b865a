"""A blend's folder: its out-of-fold file, and all that predicting with it needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.blending.blends import LINEAR, Blend
from common.blending.members import Members
from common.config import Config
from common.evaluation import Evaluation
from common.inference.label_thresholds import USUAL
from common.inference.plan import RANK, Plan, write_plan
from common.keys import FOLD, GROUP, IMAGE_ID, INDEX, LOSS, PREDICTION, TARGET
from common.metrics.base import Metric
from common.metrics.nested import tune
from common.metrics.part_rules import chosen_values
from common.metrics.rules import GRADE_RULE, rules_for
from common.oof import write_oof
from common.oof_files import BLEND
from common.runs import Run, write_json

PLAN = "blend.pt"  # what is no weighted mean, see `common.inference.plan`
CONFIDENCE = "confidence"  # name of the rule that cuts boxes


def keep_blend(
    folder: Path,
    members: Members,
    runs: Sequence[Sequence[Run]],
    metric: Metric,
    kept: Blend,
    scores: dict[str, float],
) -> None:
    """Write `oof.parquet`, `blend.json` and, for ways that need it, `blend.pt`.

    Args:
        runs: of each member, by ascending fold.
        scores: of members and ways, for the record.
    """
    _write_oof(folder / "oof.parquet", members, kept)
    content: dict[str, Any] = {
        "how": kept.how,
        "members": members.names,
        "runs": [[run.name for run in own] for own in runs],
        "weights": kept.weights,
        "options": kept.options,
        "predict": _predict_options(members.config, members, metric, kept),
        "metric": metric.name,
        "scores": {key: value if np.isfinite(value) else None for key, value in scores.items()},
        "config": members.config.model_dump(mode="json"),
    }
    (folder / PLAN).unlink(missing_ok=True)
    if kept.how not in LINEAR:
        write_plan(make_plan(members, runs, kept), folder / PLAN)
    write_json(folder / BLEND, content)


def make_plan(members: Members, runs: Sequence[Sequence[Run]], kept: Blend) -> Plan:
    """Return how the checkpoints of all members with a weight are combined."""
    equal = [1 / len(members.names)] * len(members.names)
    weights = np.array(kept.weights or equal)
    there = np.flatnonzero(weights > 0).tolist()
    known: list[np.ndarray] = []
    if kept.how == RANK:
        known = [
            np.sort(members.predictions[place][members.folds == run.fold].astype(np.float64), 0)
            for place in there
            for run in runs[place]
        ]
    return Plan(
        kept.how,
        [len(runs[place]) for place in there],
        weights[there] / weights[there].sum(),
        members.config.multilabel,
        float(kept.options.get("power", 1.0)),
        kept.options.get("models", ()),
        known,
    )


def _write_oof(file: Path, members: Members, kept: Blend) -> None:
    rows = np.arange(len(members.folds))
    columns = {INDEX: rows, IMAGE_ID: members.frame[IMAGE_ID].tolist(), TARGET: members.target}
    said = Evaluation({**columns, PREDICTION: kept.prediction, LOSS: np.full(len(rows), np.nan)})
    frame = write_oof(said, members.config).assign(**{FOLD: members.folds})
    if GROUP in members.frame:
        frame[GROUP] = members.frame[GROUP].to_numpy()
    frame.to_parquet(file, index=False)


def _predict_options(
    config: Config, members: Members, metric: Metric, kept: Blend
) -> dict[str, float | list[float]]:
    """Return what else predicting has to know: what is cut wants cuts of its own."""
    found: dict[str, float | list[float]] = {}
    if config.task == "detection":
        found |= {f"predict.fuse_{name}": float(value) for name, value in kept.options.items()}
    elif config.target != "ordinal" and not config.multilabel:
        return found
    rules = list(rules_for(metric, config, members.target, kept.prediction))
    if config.multilabel and rules:
        tuned = [tune(rule, members.target, kept.prediction, members.folds) for rule in rules]
        return {"predict.thresholds": chosen_values(tuned, [USUAL])}
    for rule in rules:
        values = [float(value) for value in rule.fit(members.target, kept.prediction)]
        if rule.name == CONFIDENCE:
            found[f"predict.{CONFIDENCE}"] = values[0]
        elif rule.name == GRADE_RULE:
            found["predict.grade_cuts"] = values
    return found
