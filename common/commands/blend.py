"""kit blend."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.blending.blends import HOWS, TUNED, Blend, gain_of, hows_of, make_blend
from common.blending.keep import keep_blend
from common.blending.members import Members, join_members
from common.blending.weights import check_weights
from common.competition import Competition
from common.environment import runs_dir
from common.errors import KitError, did_you_mean
from common.figures.correlation import correlation_figure
from common.metrics.base import Metric
from common.metrics.detection import METRICS
from common.oof_files import BLEND, PREFIX, read_experiment
from common.runs import check_name


def blend_experiments(
    name: str,
    experiments: Sequence[str],
    how: str,
    given_weights: str,
    label: str,
    given_runs: Path | None,
) -> None:
    """Print what each way of blending brings, nested by fold, and keep one of them.

    Args:
        how: the one that is kept; empty: the best of those printed.
        given_weights: such as 0.6,0.4; empty: all alike, where nothing is tuned.
        label: the blend is kept as blend-<label>; empty: its way.
    """
    check_name(f"{PREFIX}{label}")
    competition, root = Competition.find(name), runs_dir(given_runs)
    joined = [read_experiment(root, name, one) for one in experiments]
    members = join_members(joined)
    weights = check_weights(given_weights, members.names)
    ways = _ways(members, how, bool(given_weights))
    metric = competition.metrics(members.config)[0]
    blends = [make_blend(way, members, metric, weights) for way in ways]
    scores = _print_table(members, metric, blends)
    sign = 1 if metric.maximise else -1
    best = max(blends, key=lambda one: np.nan_to_num(sign * scores[one.how], nan=-np.inf))
    kept = next((one for one in blends if one.how == how), best)
    folder = root / name / f"{PREFIX}{label or kept.how}"
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    figure = correlation_figure(
        correlations(members, metric), members.names, "How alike the errors are"
    )
    figure.savefig(folder / "figures" / "correlation.png")
    keep_blend(folder, members, [one.runs for one in joined], metric, kept, scores)
    strongest = max(members.names, key=lambda one: sign * scores[one])
    why = "" if how else f" (the best of {len(blends)}, so its gain is a little optimistic)"
    if sign * scores[kept.how] <= sign * scores[strongest]:
        why = f" (no better than {strongest} alone)"
    print(f"kept: {kept.how}{why} in {folder / BLEND}")
    print(f"next: kit oof {name} -e {folder.name}; kit predict {name} --run {folder.name}")


def _ways(members: Members, how: str, weighted: bool) -> list[str]:
    """Return the ways that these members can be blended in; refuse a `how` that is none of them."""
    ways = list(hows_of(members.config))
    if how and how not in ways:
        hint = did_you_mean(how, ways)
        raise KitError(f"expected --how of {', '.join(ways)}, got '{how}'; {hint}")
    if weighted and how in TUNED:
        raise KitError(f"expected no --weights with --how {how}, which finds them; leave one out")
    needing = (*TUNED, "power")
    if len(np.unique(members.folds)) > 1:
        return ways
    if how in needing:
        raise KitError(f"expected 2 folds or more for --how {how}, got 1; train the others")
    return [way for way in ways if way not in needing]


def _print_table(members: Members, metric: Metric, blends: Sequence[Blend]) -> dict[str, float]:
    """Print members and blends; return the scores by their names."""
    sign = 1 if metric.maximise else -1
    alone = {
        one: sign * gain_of(metric, members.target, said)
        for one, said in zip(members.names, members.predictions, strict=True)
    }
    best = max(sign * value for value in alone.values())
    width = max(map(len, (*members.names, *HOWS))) + 2
    print(f"{metric.name}, out of fold, {len(members.folds)} samples; weights nested by fold")
    for member, value in alone.items():
        print(f"{member:{width}}{value:.4f}")
    scores = {b.how: sign * gain_of(metric, members.target, b.prediction) for b in blends}
    for one in blends:
        gain = sign * scores[one.how] - best
        said = " ".join(f"{weight:.2f}" for weight in one.weights or ())
        options = ", ".join(f"{k} {v:g}" for k, v in one.options.items() if isinstance(v, float))
        print(f"{one.how:{width}}{scores[one.how]:.4f}  {gain:+.4f}  {said} {options}".rstrip())
    return {**alone, **scores}


def correlations(members: Members, metric: Metric) -> np.ndarray:
    """Return `(M, M)` how alike the members' errors are: of probabilities, or of image scores."""
    if members.config.task == "detection":
        each = metric.each or METRICS["wheat_score"].each
        assert each is not None  # it has one
        errors = np.stack([1 - each(members.target, said) for said in members.predictions])
    else:
        said = np.stack(members.predictions)
        one_hot = members.target
        if one_hot.ndim == 1:
            one_hot = np.eye(said.shape[2])[one_hot]
        errors = (said - one_hot).reshape(len(said), -1)
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.atleast_2d(np.corrcoef(errors)))
