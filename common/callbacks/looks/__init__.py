"""Looks at the validation: each answers one question with one picture, and is named in `LOOKS`."""

from common.callbacks.looks.base import Look
from common.callbacks.looks.box_breakdown import BoxBreakdown
from common.callbacks.looks.box_confusion import BoxConfusion
from common.callbacks.looks.box_curves import BoxCurves
from common.callbacks.looks.box_distribution import BoxDistribution
from common.callbacks.looks.breakdown import Breakdown
from common.callbacks.looks.cam import Cam
from common.callbacks.looks.confusion import Confusion
from common.callbacks.looks.curves import ClassCurves
from common.callbacks.looks.distribution import ClassDistribution
from common.callbacks.looks.extremes import Extremes
from common.callbacks.looks.gradients import Gradients
from common.callbacks.looks.label_issues import LabelIssues
from common.callbacks.looks.mask_confusion import MaskConfusion
from common.callbacks.looks.mask_curves import MaskCurves
from common.callbacks.looks.mask_distribution import MaskDistribution
from common.callbacks.looks.predictions import Predictions
from common.callbacks.looks.residuals import Residuals
from common.callbacks.looks.timing import Timing
from common.callbacks.looks.value_distribution import ValueDistribution
from common.config import Config
from common.errors import KitError, did_you_mean
from common.loggers.base import Logger

LOOKS: dict[str, dict[str, type[Look]]] = {
    "classification": {
        "confusion": Confusion,
        "curves": ClassCurves,
        "distribution": ClassDistribution,
        "breakdown": Breakdown,
        "predictions": Predictions,
        "extremes": Extremes,
        "cam": Cam,
        "label_issues": LabelIssues,
        "gradients": Gradients,
        "timing": Timing,
    },
    "regression": {
        "residuals": Residuals,
        "distribution": ValueDistribution,
        "breakdown": Breakdown,
        "predictions": Predictions,
        "extremes": Extremes,
        "cam": Cam,
        "gradients": Gradients,
        "timing": Timing,
    },
    "segmentation": {
        "confusion": MaskConfusion,
        "curves": MaskCurves,
        "distribution": MaskDistribution,
        "breakdown": Breakdown,
        "predictions": Predictions,
        "extremes": Extremes,
        "cam": Cam,
        "label_issues": LabelIssues,
        "gradients": Gradients,
        "timing": Timing,
    },
    "detection": {
        "confusion": BoxConfusion,
        "curves": BoxCurves,
        "distribution": BoxDistribution,
        "breakdown": BoxBreakdown,
        "predictions": Predictions,
        "extremes": Extremes,
        "cam": Cam,
        "label_issues": LabelIssues,
        "gradients": Gradients,
        "timing": Timing,
    },
}


def make_looks(config: Config, logger: Logger) -> list[Look]:
    """Return the looks that `log.looks` names: all of the task, none or a list of names."""
    known = LOOKS[config.kind]
    names = {"all": list(known), "none": []}.get(str(config.log.looks), config.log.looks)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise KitError(f"expected a look at {config.kind} in log.looks, got '{name}'; {hint}")
    return [known[name](config, logger) for name in names]
