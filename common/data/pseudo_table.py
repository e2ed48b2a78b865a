"""Pseudo-labels as a table: a row for each image and the model that labelled it.

Columns: image_id, path, fold (that the model validated on), made_by (the run), folds (digest of all
folds), weight, and the label: hard `label` (a class name) or `label_<class>` (0 or 1, of several
labels), soft `prob_<class>`; of boxes see `pseudo_boxes.box_rows`, of masks
`pseudo_masks.mask_rows`. Beside the rows the file keeps, as `attrs`, the classes and the ids of all
test images that were looked at.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.keys import FOLD, IMAGE_ID, LABEL, PATH, PROBABILITY, WEIGHT

MADE_BY = "made_by"  # competition/experiment/fold<k>
FOLDS = "folds"  # digest: with other folds, another model saw what is validated on
SEVERAL = f"{LABEL}_"  # column prefix, followed by the class
CLASSES, TEST_IDS = "classes", "test_ids"  # attrs of the table


def pseudo_rows(
    frame: pd.DataFrame, probs: np.ndarray, classes: Sequence[str], multilabel: bool, soft: bool
) -> pd.DataFrame:
    """Return image_id, path, weight and label of M images.

    A hard label weighs as much as it is sure; a soft one says its doubt itself and weighs 1.

    Args:
        frame: columns image_id and path.
        probs: `(M, C)`.
        classes: C names.
        multilabel: any number of classes per image.
        soft: keep the probabilities.
    """
    columns: dict[str, np.ndarray] = {}
    if soft:
        columns = {f"{PROBABILITY}{name}": probs[:, c] for c, name in enumerate(classes)}
    elif multilabel:
        columns = {
            f"{SEVERAL}{name}": (probs[:, c] > 0.5).astype(np.int64)
            for c, name in enumerate(classes)
        }
    else:
        columns = {LABEL: np.array(classes, object)[probs.argmax(1)]}
    weight = np.ones(len(probs)) if soft else sureness(probs, multilabel)
    ids, paths = (frame[key].astype(str).to_numpy(object) for key in (IMAGE_ID, PATH))
    return pd.DataFrame({IMAGE_ID: ids, PATH: paths, WEIGHT: weight.astype(np.float32), **columns})


def sureness(probs: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return `(N,)` the likeliest class's probability; of several labels, of the least sure one."""
    return np.maximum(probs, 1 - probs).min(1) if multilabel else probs.max(1)


def surest(sure: np.ndarray, least: float = 0.0, top: float = 1.0) -> np.ndarray:
    """Return `(M,)` rows, ascending, that are among the surest share and at least so sure.

    Args:
        sure: `(N,)`.
        least: probability.
        top: share of the N rows, rounded.
    """
    order = np.argsort(-sure, kind="stable")[: round(top * len(sure))]
    return np.sort(order[sure[order] >= least])


def folds_digest(frame: pd.DataFrame) -> str:
    """Return a digest of who validates on what, whatever the order of the rows."""
    lines = sorted(
        f"{name},{fold}" for name, fold in zip(frame[IMAGE_ID], frame[FOLD], strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
