"""What a model's outputs say of each sample: the same while training, validating and predicting.

It lies apart from the learners, so that predicting needs none of what only training does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from common.keys import LOGITS, VALUES


def predicted(outputs: Mapping[str, Any], multilabel: bool = False) -> Tensor:
    """Return `(N, C)` float32 `VALUES`, or without such the probabilities of `LOGITS`."""
    if VALUES in outputs:
        return outputs[VALUES].float()
    logits = outputs[LOGITS].float()
    return logits.sigmoid() if multilabel else logits.softmax(1)


def to_dicts(values: Mapping[str, Any], keys: Sequence[str]) -> list[dict[str, np.ndarray]]:
    """Return N dicts of arrays from lists of N tensors."""
    columns = [[value.detach().cpu().numpy() for value in values[key]] for key in keys]
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
