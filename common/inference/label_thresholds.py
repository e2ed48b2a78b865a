"""From which probability on a label is there: what `kit oof` found best, else a half."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.checkpoints import load_checkpoint
from common.config import PredictConfig
from common.errors import KitError
from common.inference.decisions import decided
from common.inference.predict import options_of, shares_of

LABELS = "labels"  # of what `kit oof` decided on for predicting: a threshold of each class
USUAL = 0.5


def label_thresholds(
    checkpoints: Sequence[Path], options: PredictConfig | None = None
) -> list[float]:
    """Return `(C,)` thresholds of `predict.thresholds`, or those that were tuned.

    Of several checkpoints the mean, by their shares; of a blend its own.

    Args:
        options: None = as the first checkpoint's config says.

    Raises:
        KitError: neither one threshold nor one of each class.
    """
    options = options_of(checkpoints, options)
    contents = [load_checkpoint(checkpoint) for checkpoint in checkpoints]
    classes = contents[0]["config"]["classes"]
    if options.thresholds:
        found = _for_each(options.thresholds, len(classes))
    else:
        own = [
            _for_each(decided(checkpoint, content).get(LABELS, [USUAL]), len(classes))
            for checkpoint, content in zip(checkpoints, contents, strict=True)
        ]
        found = np.average(own, 0, None if options.blend else shares_of(options, len(own))).tolist()
    said = [f"{name} {value:.3g}" for name, value in zip(classes, found, strict=True)]
    more = f" ... ({len(said)} in all)" if len(said) > 8 else ""
    print(f"labels: there from {', '.join(said[:8])}{more}", flush=True)
    return found


def _for_each(given: Sequence[float], count: int) -> list[float]:
    if len(given) not in (1, count):
        raise KitError(
            f"expected a threshold for all {count} classes or for each in predict.thresholds, got "
            f"{len(given)}"
        )
    return list(given) * (count if len(given) == 1 else 1)
