"""Looks at the validation: each answers one question with one picture, and is named in `LOOKS`."""

from common.callbacks.looks.base import Look
from common.callbacks.looks.box_predictions import BoxPredictions
from common.callbacks.looks.confusion import Confusion
from common.callbacks.looks.mask_predictions import MaskPredictions
from common.callbacks.looks.predictions import ClassPredictions
from common.config import Config
from common.errors import KitError, did_you_mean
from common.loggers.base import Logger

LOOKS: dict[str, dict[str, type[Look]]] = {
    "classification": {"confusion": Confusion, "predictions": ClassPredictions},
    "segmentation": {"predictions": MaskPredictions},
    "detection": {"predictions": BoxPredictions},
}


def make_looks(config: Config, logger: Logger) -> list[Look]:
    """Return the looks that `log.looks` names: all of the task, none or a list of names."""
    known = LOOKS[config.task]
    names = {"all": list(known), "none": []}.get(str(config.log.looks), config.log.looks)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise KitError(f"expected a look at {config.task} in log.looks, got '{name}'; {hint}")
    return [known[name](config, logger) for name in names]
