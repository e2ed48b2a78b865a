"""What `kit oof` says of thresholds, and the file that keeps them."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.checkpoints import load_checkpoint
from common.config import Config
from common.errors import KitError
from common.inference.decisions import MODELS, PIXELS, PREDICT, read_decisions, signature
from common.inference.grade_cuts import GRADES, usual_cuts
from common.inference.label_thresholds import LABELS
from common.inference.label_thresholds import USUAL as LABEL_USUAL
from common.inference.mask_rule import USUAL
from common.metrics.base import Metric
from common.metrics.nested import Tuned, tune
from common.metrics.part_rules import chosen_values
from common.metrics.rules import rules_for
from common.oof_samples import Samples
from common.runs import Run, write_json

WHOLE = "whole"  # of PREDICT: it was tuned on whole pictures, by --parts
SHOWN = 8  # values of one rule that are printed


def tune_decisions(metric: Metric, samples: Samples, config: Config) -> list[Tuned]:
    """Return what each decision that the metric leaves open brings."""
    target, prediction = samples.target, samples.prediction
    rules = rules_for(metric, config, target, prediction)
    return [tune(rule, target, prediction, samples.folds) for rule in rules]


def say_decisions(found: Sequence[Tuned], config: Config) -> Iterator[str]:
    """Yield a line for each."""
    for one in found:
        several = len(one.values) > 1 and len(one.values) == len(config.classes)
        names = config.classes if several else [""] * len(one.values)
        pairs = zip(names, one.values, strict=True)
        words = [f"{name} {value:.4g}".strip() for name, value in pairs]
        more = f", ... ({len(words)} in all)" if len(words) > SHOWN else ""
        nested = (
            "nested by fold it needs two folds (--fold all)"
            if np.isnan(one.nested)
            else f"{one.nested:.4f} by that of the other folds"
        )
        yield (
            f"  {one.rule} {', '.join(words[:SHOWN])}{more}: {nested}; {one.naive:.4f} on the "
            f"samples that chose it, {one.usual:.4f} untuned"
        )


def write_decisions(
    found: dict[str, list[Tuned]], file: Path, predict: Mapping[str, Any] | None = None
) -> None:
    """Write by metric and rule the values and their scores, as JSON.

    Args:
        predict: what `kit predict` shall take of it, and of which models it is.
    """
    fresh = {name: {one.rule: _plain(one) for one in tuned} for name, tuned in found.items()}
    content = {**(predict or {}), **{name: rules for name, rules in fresh.items() if rules}}
    if content:
        write_json(file, content)


def masks_to_predict(
    runs: Sequence[Run],
    tuned: Sequence[Tuned],
    parts: Mapping[str, Any] | None,
    file: Path,
) -> dict[str, Any]:
    """Return what `kit predict` takes of masks of one class, and of which models it is.

    Args:
        tuned: on the windows of the out-of-fold files, a threshold alone.
        parts: what was found on whole pictures; None: what the file kept of them, if it is of the
            same models, stays as it is.
    """
    models = dict(_signatures(runs))
    kept = read_decisions(file)
    if parts is None and kept.get(PREDICT, {}).get(WHOLE) and kept.get(MODELS) == models:
        return kept
    if parts is not None:
        return {PREDICT: {**parts, WHOLE: True}, MODELS: models}
    if not tuned:
        return {}
    threshold = chosen_values(tuned, [USUAL])[0]
    return {PREDICT: {PIXELS: {"threshold": threshold, "min_area": 0}}, MODELS: models}


def classes_to_predict(
    runs: Sequence[Run], tuned: Sequence[Tuned], config: Config
) -> dict[str, Any]:
    """Return the cut points of grades, or thresholds of labels, and of which models they are."""
    if not tuned or not (config.multilabel or config.target == "ordinal"):
        return {}
    if config.multilabel:
        values = {LABELS: chosen_values(tuned, [LABEL_USUAL])}
    else:
        values = {GRADES: chosen_values(tuned, usual_cuts(config))}
    return {PREDICT: values, MODELS: dict(_signatures(runs))}


def _signatures(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield the name of each fold whose checkpoint can be read, and what tells it from others."""
    for run in runs:
        try:
            yield run.folder.name, signature(load_checkpoint(run.best()))
        except KitError as error:  # a score needs none
            warnings.warn(f"kit predict will not take what was tuned: {error}", stacklevel=2)


def _plain(one: Tuned) -> dict[str, Any]:
    scores = {"nested": one.nested, "naive": one.naive, "usual": one.usual}
    known = {name: value if np.isfinite(value) else None for name, value in scores.items()}
    return {"values": [float(value) for value in one.values], **known}
