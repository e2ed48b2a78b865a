"""What W&B is told of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.commands.sweep import folds_of
from common.commands.sweep_space import Choices, Range, parse_space
from common.competition import Competition
from common.config import parse_overrides
from common.errors import KitError
from common.metrics.base import Metric

EXPERIMENT, FOLD = "kit.experiment", "kit.fold"  # what all trials share, for agents elsewhere
FIRST, ETA = 1, 3  # hyperband: after 1, 3, 9, ... folds the best third goes on
METHODS = ("bayes", "random", "grid")


def settings_of(
    competition: Competition,
    words: Sequence[str],
    experiment: str,
    fold: str,
    trials: int,
    method: str,
) -> dict[str, Any]:
    """Return the sweep that a command line asks for; see `sweep_settings`.

    Raises:
        KitError: an unknown method, or values that the config does not take.
    """
    config = competition.experiment(experiment)
    space, fixed = parse_space(words, config)
    metric = competition.metrics(config)[0]
    if method not in METHODS:
        raise KitError(f"expected --method of {', '.join(METHODS)}, got '{method}'")
    shared = {EXPERIMENT: experiment, FOLD: fold, **parse_overrides(fixed)}
    count = len(folds_of(fold, config, fixed))
    return sweep_settings(space, shared, metric, count, trials, method)


def sweep_settings(
    space: Mapping[str, Choices | Range],
    shared: Mapping[str, Any],
    metric: Metric,
    folds: int,
    trials: int,
    method: str,
) -> dict[str, Any]:
    """Return a sweep as W&B's documentation of sweep configurations describes it.

    Args:
        space: what differs between trials, by config key.
        shared: what all of them have.
        folds: of a trial; if there are several, hyperband stops a trial that falls behind.
    """
    early = {"early_terminate": {"type": "hyperband", "min_iter": FIRST, "eta": ETA}}
    return {
        "method": method,
        "metric": {
            "name": f"valid/{metric.name}",
            "goal": "maximize" if metric.maximise else "minimize",
        },
        "run_cap": trials,
        "parameters": {
            **{key: {"value": value} for key, value in shared.items()},
            **{key: _parameter(values) for key, values in space.items()},
        },
        **(early if folds > 1 else {}),
    }


def _parameter(values: Choices | Range) -> dict[str, Any]:
    if isinstance(values, Choices):
        return {"values": list(values.values)}
    kind = "int_uniform" if values.whole else "log_uniform_values" if values.log else "uniform"
    return {"distribution": kind, "min": values.low, "max": values.high}
