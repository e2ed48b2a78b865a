"""Masks predicted whole again, as for a submission: least area of a part, and objects.

Out-of-fold files hold counts of windows, from which no part can be left out and no object be found.
So every fold's best checkpoint predicts the pictures that it never saw, once, and of each picture
only counts at many thresholds and least areas are kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.commands.oof_decisions import say_decisions
from common.commands.oof_pictures import COARSE, Counted, count_pictures, pictures_of
from common.commands.oof_sureness import sureness
from common.competition import Competition
from common.config import Config, PredictConfig
from common.environment import data_dir
from common.errors import KitError
from common.inference.decisions import PIXELS
from common.inference.mask_rule import USUAL
from common.keys import OBJECTS
from common.metrics.base import Metric
from common.metrics.nested import Rule, Tuned, by_other_folds, take, tune
from common.metrics.part_rules import (
    INSTANCE_AP,
    chosen_values,
    mean_precision,
    object_rule,
    pixel_rules,
)
from common.metrics.rules import SINGLE
from common.metrics.segmentation import CLASS_METRICS
from common.oof_files import Experiment
from common.oof_samples import Samples


class Parts(NamedTuple):
    """What was found."""

    lines: list[str]
    decided: dict[str, list[Tuned]]  # by metric
    predict: dict[str, dict[str, float]]  # threshold and least area by PIXELS or method


def score_parts(
    name: str,
    found: Experiment,
    options: PredictConfig,
    given_data: Path | None,
    public: float,
) -> Parts:
    """Predict the pictures of every fold and tune what is decided on them, nested by fold.

    Raises:
        KitError: a run without its checkpoint, or masks of which nothing is known.
    """
    config, competition = found.config, Competition.find(name)
    if options.masks.instances != "none" and len(config.classes) > 1:
        raise KitError(
            f"expected one class for predict.masks.instances, got {len(config.classes)}; set it to "
            "none"
        )
    frames = pictures_of(competition, found, data_dir(name, given_data))
    counted = count_pictures(found, frames, options)
    metric = _metric(competition.metrics(config), len(config.classes) > 1)
    pixels = [
        tune(rule, counted.target, counted.pixels, counted.folds)
        for rule in pixel_rules(metric, len(config.classes) > 1)
    ]
    lines = [f"{metric.name} of {len(counted.folds)} pictures predicted whole:"]
    lines += say_decisions(pixels, config)
    usual = [0.0] if len(config.classes) > 1 else [USUAL, 0.0]
    decided = {f"{metric.name} of whole pictures": pixels}
    predict = {PIXELS: _values(chosen_values(pixels, usual))}
    if counted.objects:
        marked = any(OBJECTS in frame for frame in frames)
        tuned, said = _objects(counted, config, public, marked)
        lines += said
        decided[INSTANCE_AP] = list(tuned.values())
        for way, one in tuned.items():
            apart = float(counted.distances[way][0])
            predict[way] = _values(chosen_values([one], [*usual, apart]))
    return Parts(lines, decided, predict)


def _objects(
    counted: Counted, config: Config, public: float, marked: bool
) -> tuple[dict[str, Tuned], list[str]]:
    """Return by method what is tuned for its objects, and lines that tell."""
    rules = {
        way: object_rule(COARSE, way, distances) for way, distances in counted.distances.items()
    }
    tuned = {
        way: tune(rule, counted.target, counted.objects[way], counted.folds)
        for way, rule in rules.items()
    }
    given = "the objects of data.py" if marked else "what hangs together in the masks"
    lines = [f"{INSTANCE_AP}, mean over IoU from 0.5 to 0.95, against {given}:"]
    lines += say_decisions(list(tuned.values()), config)
    best = max(tuned, key=lambda way: np.nan_to_num(tuned[way].nested, nan=tuned[way].naive))
    lines.append(f"  best: predict.masks.instances={best}")
    if np.isfinite(tuned[best].nested):
        samples = _nested_samples(rules[best], counted, counted.objects[best])
        metric = Metric(INSTANCE_AP, mean_precision, each=lambda target, values: values)
        lines += sureness(metric, samples, public)
    return tuned, lines


def _nested_samples(rule: Rule, counted: Counted, values: np.ndarray) -> Samples:
    """Return the pictures that count, each by what the other folds chose."""
    nested = by_other_folds(
        lambda own, others: rule.apply(
            values[own], rule.fit(take(counted.target, others), values[others])
        ),
        counted.folds,
    )
    known = ~np.isnan(nested)
    units = np.arange(int(known.sum()))
    return Samples(
        counted.target[known], nested[known], units, "images", False, counted.folds[known]
    )


def _metric(metrics: Sequence[Metric], several: bool) -> Metric:
    """Return the first metric that counted pixels of one threshold have, or the task's usual."""
    known = CLASS_METRICS if several else SINGLE
    usual = "class_iou" if several else "iou"
    return known[next((metric.name for metric in metrics if metric.name in known), usual)]


def _values(chosen: Sequence[float]) -> dict[str, float]:
    """Return threshold, which several classes do not have, least area and, of objects, distance."""
    threshold, least, *apart = chosen if len(chosen) > 1 else [USUAL, *chosen]
    found: dict[str, float] = {"threshold": threshold, "min_area": int(least)}
    return {**found, "min_distance": int(apart[0])} if apart else found
