"""Making a timm network, with words for the person if it fails."""

from collections.abc import Mapping
from typing import Any

import timm

from common.errors import KitError, did_you_mean


class NoWeights(KitError):
    """Pretrained weights that cannot be had here."""


def create_network(name: str, arguments: Mapping[str, Any]) -> Any:
    """Return `timm.create_model(name, **arguments)`.

    Raises:
        KitError: an unknown name, or no network of features.
        NoWeights: pretrained weights that cannot be had.
    """
    if not timm.is_model(name):
        raise KitError(f"unknown model.name '{name}'; {did_you_mean(name, timm.list_models())}")
    try:
        return timm.create_model(name, **arguments)
    except (AssertionError, TypeError) as error:  # how timm refuses an argument
        raise KitError(
            f"expected arguments that {name} takes, got {dict(arguments)}: {_first_line(error)}; "
            "change model.pool, model.drop_rate or model.arguments"
        ) from error
    except (OSError, RuntimeError) as error:
        if not arguments.get("pretrained"):
            raise
        raise NoWeights(
            f"expected to load pretrained weights of {name}, got: {_first_line(error)}; put the "
            f"file '{name}.safetensors' into a folder named by KIT_WEIGHTS, attach it as a Kaggle "
            "input, or set model.weights to its path or to 'none'"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
