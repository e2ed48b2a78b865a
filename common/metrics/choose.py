"""From names in a config to metrics."""

from collections.abc import Iterable

from common.config import Config
from common.errors import KitError, did_you_mean
from common.metrics import classification, detection, regression, segmentation
from common.metrics.base import Metric
from common.metrics.part_rules import INSTANCE_AP

# A validation counts windows, in which objects are cut.
OBJECTS_LATER = "kit oof --parts scores objects of whole pictures; validate by iou"
KNOWN = {
    "classification": classification.METRICS,
    "regression": regression.METRICS,
    "segmentation": segmentation.METRICS,
    "detection": detection.METRICS,
}


def choose_metrics(config: Config, own: Iterable[Metric] = ()) -> list[Metric]:
    """Return `metric` and then those of `watch`: a competition's own, or its kind's usual ones.

    Raises:
        KitError: a name that neither has.
    """
    known = {**KNOWN[config.kind], **{metric.name: metric for metric in own}}
    names = dict.fromkeys((config.metric, *config.watch))
    for name in names:
        if name not in known:
            hint = OBJECTS_LATER if name == INSTANCE_AP else did_you_mean(name, known)
            raise KitError(f"expected the name of a {config.kind} metric, got '{name}'; {hint}")
    return [known[name] for name in names]
