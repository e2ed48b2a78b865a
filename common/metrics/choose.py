"""From names in a config to metrics."""

from collections.abc import Iterable, Sequence

from common.metrics.base import Metric
from common.metrics.classification import get_metric


def choose_metrics(names: Sequence[str], own: Iterable[Metric] = ()) -> list[Metric]:
    """Return the named metrics in order; a competition's `own` come before the usual ones."""
    known = {metric.name: metric for metric in own}
    return [known.get(name) or get_metric(name) for name in dict.fromkeys(names)]
