"""What `kit oof` says of how sure a score is."""

from collections.abc import Iterator

import numpy as np

from common.competition import Competition
from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.resampling import LEAST, Duel, bootstrap, duel, interval_of, shake_up
from common.oof_files import Experiment
from common.oof_samples import Samples, common_rows, read_samples, score_drawn

FEW = 30  # units from which on an interval says something


def check_public(public: float) -> None:
    """Raise KitError unless the share of the public part is one."""
    if not 0 < public < 1:
        raise KitError(
            f"expected --public of more than 0 and less than 1, got {public:g}; the competition's "
            "page names the share of the public leader board, such as 0.3"
        )


def sureness(metric: Metric, samples: Samples, public: float) -> Iterator[str]:
    """Yield lines: the interval of the pooled score, and how far a leader board may shake it."""
    score = score_drawn(metric, samples)
    found = bootstrap(score, samples.num)
    low, high = interval_of(found)
    units = f"{samples.num} {samples.kind}"
    few = " (few, so the interval is rough)" if samples.num < FEW or len(found) < LEAST else ""
    yield f"  95% interval {low:.4f} to {high:.4f}, by {len(found)} draws of {units}{few}"
    spread, most, draws = shake_up(score, samples.num, public)
    yield (
        f"  shake-up in a test set of {units}: public ({public:.0%}) and private score differ by "
        f"± {spread:.4f}, 95% of the time by less than {most:.4f} ({draws} draws)"
    )


def against(name: str, one: Experiment, other: Experiment, public: float) -> Iterator[str]:
    """Yield a line for each metric that both have: who is better, and would they swap."""
    frames = common_rows(one.frame, other.frame, one.config)
    if one.config.task != other.config.task or not len(frames[0]):
        raise KitError(
            f"expected experiments with samples in common, {one.name} has {len(one.frame)} and "
            f"{other.name} {len(other.frame)}, none of them the same; train the same folds"
        )
    left = read_samples(frames[0], one.config)
    right = read_samples(frames[1], other.config)._replace(units=left.units, kind=left.kind)
    shared = f"{len(left.units)} of {len(one.frame)} and {len(other.frame)}"
    if one.config.task != "segmentation" and len(frames[0]) < max(len(one.frame), len(other.frame)):
        yield f"{one.name} against {other.name}, on the samples that both have ({shared}):"
    else:
        yield f"{one.name} against {other.name}:"
    known = {m.name: m for m in Competition.find(name).metrics(other.config)}
    for metric in Competition.find(name).metrics(one.config):
        if metric.name in known:
            yield f"  {metric.name}: {_say(_fight(metric, left, right, public), public)}"


def _fight(metric: Metric, left: Samples, right: Samples, public: float) -> Duel:
    scores = score_drawn(metric, left), score_drawn(metric, right)
    sign = 1.0 if metric.maximise else -1.0

    def gains(drawn: np.ndarray) -> float:
        return sign * (scores[0](drawn) - scores[1](drawn))

    return duel(gains, left.num, public)


def _say(found: Duel, public: float) -> str:
    low, high = found.interval
    return (
        f"better by {found.gain:+.4f} (95% interval {low:+.4f} to {high:+.4f}), in "
        f"{found.wins:.0%} of {found.draws} draws; public ({public:.0%}) and private part "
        f"disagree who is better in {found.swaps:.0%}"
    )
