"""Boxes as the text of a submission's cell: `confidence x y width height`, box after box.

With labels each box starts with its class, as a number or by name:
`label confidence x y width height`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from common.data.boxes import as_boxes, xywh_to_xyxy, xyxy_to_xywh
from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES

FIELDS = ("confidence", "x", "y", "width", "height")
MAX_SHOWN = 40  # characters of a cell that a message spells out


def format_boxes(
    boxes: ArrayLike,
    scores: ArrayLike,
    labels: ArrayLike | None = None,
    decimals: int = 2,
    score_decimals: int = 4,
    names: Sequence[str] = (),
) -> str:
    """Return xyxy boxes as text with x, y, width, height, most confident first; none: "".

    Args:
        boxes: `(K, 4)` xyxy pixels.
        scores: `(K,)` confidences, 0 to 1. Those that are equal once rounded keep their order.
        labels: `(K,)` int classes to write before each box.
        decimals: of pixels.
        score_decimals: of confidences.
        names: of the classes, written instead of their numbers.

    Raises:
        KitError: the text would not pass `check_boxes`.
    """
    scores = np.asarray(scores, dtype=np.float64).reshape(-1)
    rows = xyxy_to_xywh(np.asarray(as_boxes(boxes), dtype=np.float64))
    classes = None if labels is None else np.asarray(labels, dtype=np.int64).reshape(-1)
    if len(rows) != len(scores) or (classes is not None and len(classes) != len(rows)):
        raise KitError(f"expected a score and a label per box, got {len(scores)} for {len(rows)}")
    parts = []
    for row in np.argsort(-scores, kind="stable"):
        if classes is not None:
            parts.append(names[classes[row]] if names else str(classes[row]))
        parts += [f"{scores[row]:.{score_decimals}f}"]
        parts += [f"{value:.{decimals}f}" for value in rows[row].tolist()]
    text = " ".join(parts)
    complaint = check_boxes(text, with_labels=classes is not None, names=names)
    if complaint:
        raise KitError(complaint)
    return text


def parse_boxes(text: str, with_labels: bool = False, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `format_boxes` wrote: BOXES `(K, 4)` xyxy, SCORES `(K,)` and maybe LABELS.

    Raises:
        KitError: `check_boxes` complains of the text.
    """
    complaint = check_boxes(text, with_labels, names)
    if complaint:
        raise KitError(complaint)
    numbers = {name: str(number) for number, name in enumerate(names)}
    values = np.array([float(numbers.get(word, word)) for word in text.split()])
    values = values.reshape(-1, 5 + with_labels)
    parsed = {BOXES: xywh_to_xyxy(values[:, -4:]), SCORES: values[:, -5]}
    return {**parsed, LABELS: values[:, 0].astype(np.int64)} if with_labels else parsed


def check_boxes(text: str, with_labels: bool = False, names: Sequence[str] = ()) -> str | None:
    """Return what is wrong with a cell, or None; an empty one means no boxes.

    For `SubmissionRules(parse=check_boxes, allow_empty=True)`, or a `partial` of it with labels.
    """
    words, fields = text.split(), (("label",) if with_labels else ()) + FIELDS
    if len(words) % len(fields):
        return (
            f"expected {len(fields)} numbers per box ({' '.join(fields)}), got {len(words)} in "
            f"{_shown(text)}; write every box whole"
        )
    for place, word in enumerate(words):
        field = fields[place % len(fields)]
        problem = _judge(field, word, names)
        if problem:
            return f"box {place // len(fields) + 1}: expected {problem}, got {field} {word!r}"
    return None


def _judge(field: str, word: str, names: Sequence[str]) -> str | None:
    """Return what was expected where one number or name is wrong."""
    if field == "label" and names:
        return None if word in names else f"a class of {', '.join(names)}"
    try:
        value = float(word) if word.isascii() and "_" not in word else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return "a finite number; predict every box"
    if field == "confidence" and not 0 <= value <= 1:
        return "a confidence from 0 to 1; apply the sigmoid or softmax first"
    if field in ("width", "height") and value < 0:
        return "a size of at least 0; write x y width height, not two corners"
    if field == "label" and (value < 0 or not value.is_integer()):
        return "a class index; write the label first"
    return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}...")
