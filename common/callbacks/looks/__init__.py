"""Looks at the validation: each answers one question with one picture, and is named in `LOOKS`."""

from common.callbacks.looks.base import Look
from common.callbacks.looks.confusion import Confusion
from common.callbacks.looks.predictions import Predictions
from common.config import Config
from common.errors import KitError, did_you_mean
from common.loggers.base import Logger

LOOKS: dict[str, type[Look]] = {"confusion": Confusion, "predictions": Predictions}


def make_looks(config: Config, logger: Logger) -> list[Look]:
    """Return the looks that `log.looks` names: all of the task, none or a list of names."""
    fitting = {name: look for name, look in LOOKS.items() if config.task in look.tasks}
    names = {"all": list(fitting), "none": []}.get(str(config.log.looks), config.log.looks)
    for name in names:
        if name not in fitting:
            hint = did_you_mean(name, fitting)
            raise KitError(f"expected a look at {config.task} in log.looks, got '{name}'; {hint}")
    return [fitting[name](config, logger) for name in names]
