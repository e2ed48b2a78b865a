"""COCO's mean average precision, by torchmetrics on the quickest evaluation that is installed.

Truth of an image: `(K, 4)` xyxy pixels, or a dict with BOXES and LABELS `(K,)` int.
Prediction: a dict with BOXES `(P, 4)` xyxy, SCORES `(P,)` and LABELS `(P,)`. All numpy.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES

Truth = np.ndarray | Mapping[str, Any]
Prediction = Mapping[str, Any]


def coco_map(
    targets: Sequence[Truth], predictions: Sequence[Prediction], backend: str | None = None
) -> float:
    """Return COCO's mean average precision over IoU 0.50 to 0.95 and over the classes in the truth.

    By torchmetrics. Without LABELS all boxes are of one class.

    Args:
        backend: faster_coco_eval or pycocotools; None: the first of them that is installed.
    """
    return coco_summary(targets, predictions, backend)["map"]


def coco_map_50(targets: Sequence[Truth], predictions: Sequence[Prediction]) -> float:
    """Return COCO's mean over the classes of the average precision at an IoU of 0.50."""
    return coco_summary(targets, predictions)["map_50"]


def coco_summary(
    targets: Sequence[Truth], predictions: Sequence[Prediction], backend: str | None = None
) -> dict[str, float]:
    """Return COCO's twelve numbers by torchmetrics' names (`map`, `map_50`, `mar_100`, ...).

    A number that does not exist (no truth of that size) is NaN.
    """
    if not all(np.isfinite(p[BOXES]).all() and np.isfinite(p[SCORES]).all() for p in predictions):
        return {"map": float("nan"), "map_50": float("nan"), "map_75": float("nan")}
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(box_format="xyxy", backend=backend or coco_backend())  # type: ignore[arg-type]
    metric.warn_on_many_detections = False  # COCO counts the 100 most certain boxes, others too
    truths = [target if isinstance(target, Mapping) else {BOXES: target} for target in targets]
    metric.update([_tensors(p) for p in predictions], [_tensors(t) for t in truths])
    values = {name: value.tolist() for name, value in metric.compute().items()}
    return {
        name: value if value >= 0 else float("nan")
        for name, value in values.items()
        if isinstance(value, float) and not name.endswith("per_class")
    }


def coco_backend() -> str:
    """Return the quickest installed implementation of COCO's evaluation."""
    for package in ("faster_coco_eval", "pycocotools"):
        if find_spec(package):
            return package
    raise KitError("expected faster-coco-eval or pycocotools, found neither; pip install one")


def _tensors(boxes: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    count = len(boxes[BOXES])
    labels = np.asarray(boxes.get(LABELS, np.zeros(count)), dtype=np.int64)
    tensors = {
        BOXES: torch.tensor(np.asarray(boxes[BOXES], dtype=np.float32).reshape(count, 4)),
        LABELS: torch.from_numpy(labels),
    }
    if SCORES in boxes:
        tensors[SCORES] = torch.tensor(np.asarray(boxes[SCORES], dtype=np.float32))
    return tensors
