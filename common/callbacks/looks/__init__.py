"""Looks at the validation: each answers one question with one picture, and is named in `LOOKS`."""

from common.callbacks.looks.base import Look
from common.callbacks.looks.confusion import Confusion
from common.callbacks.looks.predictions import Predictions
from common.config import Config
from common.errors import KitError, did_you_mean
from common.loggers.base import Logger

LOOKS: dict[str, type[Look]] = {"confusion": Confusion, "predictions": Predictions}


def make_looks(config: Config, logger: Logger) -> list[Look]:
    """Return the looks that `log.looks` names: all, none or a list of names."""
    names = {"all": list(LOOKS), "none": []}.get(str(config.log.looks), config.log.looks)
    unknown = [name for name in names if name not in LOOKS]
    if unknown:
        raise KitError(
            f"unknown look '{unknown[0]}' in log.looks; {did_you_mean(unknown[0], LOOKS)}"
        )
    return [LOOKS[name](config, logger) for name in names]
