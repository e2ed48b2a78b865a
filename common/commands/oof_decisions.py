"""What `kit oof` says of thresholds, and the file that keeps them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.config import Config
from common.metrics.base import Metric
from common.metrics.nested import Tuned, tune
from common.metrics.rules import rules_for
from common.oof_samples import Samples
from common.runs import write_json

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


def write_decisions(found: dict[str, list[Tuned]], file: Path) -> None:
    """Write by metric and rule the values and their scores, as JSON."""
    content: dict[str, Any] = {
        name: {one.rule: _plain(one) for one in tuned} for name, tuned in found.items() if tuned
    }
    if content:
        write_json(file, content)


def _plain(one: Tuned) -> dict[str, Any]:
    scores = {"nested": one.nested, "naive": one.naive, "usual": one.usual}
    known = {name: value if np.isfinite(value) else None for name, value in scores.items()}
    return {"values": [float(value) for value in one.values], **known}
