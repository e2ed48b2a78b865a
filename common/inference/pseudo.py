"""Labelling test images by a trained run: predict, keep what is sure, leave out the rest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from common.config import PredictConfig
from common.data.pseudo_boxes import box_rows, judge_boxes
from common.data.pseudo_masks import judge_mask, mask_rows
from common.data.pseudo_table import pseudo_rows, sureness, surest
from common.errors import KitError
from common.inference.classification import predict_classes
from common.inference.detection import predict_boxes
from common.inference.outcome import last_outcome
from common.inference.predict import options_of
from common.inference.segmentation import predict_masks
from common.keys import BOXES, IMAGE_ID, LABELS, SCORES
from common.metrics.box_cuts import Cut
from common.runs import Run

WORDS = "lower --least or --score, raise --doubt or --top, or train longer"


class Rules(NamedTuple):
    """What is sure enough to become a label."""

    least: float  # probability of a class, of a pixel's class, or that a box is right
    top: float = 1.0  # share of the images, the surest, that are kept
    doubt: float = 0.0  # share of a picture's boxes or pixels that may be unsure
    soft: bool = False  # probabilities instead of the likeliest class


class Labelled(NamedTuple):
    """Rows of a file, and a word on each class."""

    rows: pd.DataFrame
    counts: list[str]


def label_classes(run: Run, test: pd.DataFrame, rules: Rules) -> Labelled:
    """Label images by their likeliest class, or by all probabilities.

    Raises:
        KitError: none is sure enough.
    """
    config = run.config
    said = predict_classes([run.best()], test, _options(run), decide=False)
    probs = said[list(config.classes)].to_numpy()
    readable = _readable(test)
    frame, probs = test[readable], probs[readable]
    sure = sureness(probs, config.multilabel)
    kept = surest(sure, rules.least, rules.top)
    if not len(kept):
        raise KitError(
            f"expected images of which {run.name} is sure by {rules.least:g}, the surest of "
            f"{len(sure)} is at {sure.max():.3f}; lower --least, raise --top or train longer"
        )
    rows = pseudo_rows(frame.iloc[kept], probs[kept], config.classes, config.multilabel, rules.soft)
    if rules.soft:
        counted = probs[kept].sum(0)
    elif config.multilabel:
        counted = (probs[kept] > 0.5).sum(0)
    else:
        counted = np.bincount(probs[kept].argmax(1), minlength=len(config.classes))
    return Labelled(rows, [f"{c} {n:.4g}" for c, n in zip(config.classes, counted, strict=True)])


def label_boxes(run: Run, test: pd.DataFrame, rules: Rules, cuts: Sequence[Cut]) -> Labelled:
    """Label pictures by their sure boxes; those with too many unsure ones are left out.

    Every picture is looked at once: several views are fused, which changes the scores that the
    cuts were found for.

    Raises:
        KitError: none is sure enough.
    """
    config = run.config
    plain = _options(run).model_copy(update={"tta": "none", "scales": (1.0,)})
    found = predict_boxes([run.best()], test, plain)
    readable = np.flatnonzero(_readable(test))
    records = found[[BOXES, LABELS, SCORES]].iloc[readable].to_dict("records")
    judged = [judge_boxes({str(key): one[key] for key in one}, cuts) for one in records]
    doubts = np.array([one.doubt for one in judged])
    kept = _surest(doubts, rules)
    if not len(kept):
        best = max((float(one[SCORES].max(initial=0)) for one in records), default=0.0)
        raise KitError(
            f"expected pictures of whose boxes {run.name} is sure ({say_cuts(cuts, config.classes)}"
            f"), none of {len(judged)} is; the highest score is {best:.3f}; {WORDS}"
        )
    chosen = [judged[row] for row in kept]
    labels = np.concatenate([one.labels for one in chosen])
    counts = np.bincount(labels, minlength=len(config.classes)).tolist()
    words = zip(config.classes, counts, cuts, strict=True)
    rows = box_rows(test.iloc[readable[kept]], chosen, config.classes)
    return Labelled(rows, [f"{name} {n} boxes from {cut.sure:.2f}" for name, n, cut in words])


def label_masks(run: Run, test: pd.DataFrame, rules: Rules) -> Labelled:
    """Label pictures by their sure pixels; those with too many unsure ones are left out.

    Raises:
        KitError: none is sure enough.
    """
    config = run.config
    masks = predict_masks([run.best()], test, _options(run))
    found = [judge_mask(probs, rules.least) for _, probs in masks]
    readable = np.flatnonzero(_readable(test))
    doubts = np.array([found[row].doubt for row in readable])
    kept = _surest(doubts, rules)
    if not len(kept):
        raise KitError(
            f"expected pictures of which {run.name} is unsure in a share of {rules.doubt:g} of the "
            f"pixels at most, the surest of {len(doubts)} has {doubts.min():.3f}; {WORDS}"
        )
    chosen = [found[row] for row in readable[kept]]
    counts = np.sum([one.counts for one in chosen], axis=0)
    names = ("background", *config.classes) if len(config.classes) == 1 else config.classes
    shares = counts / max(counts.sum(), 1)
    words = [f"{name} {share:.1%}" for name, share in zip(names, shares, strict=True)]
    unsure = np.mean([one.doubt for one in chosen])
    rows = mask_rows(test.iloc[readable[kept]], chosen)
    return Labelled(rows, [*words, f"{unsure:.1%} of the pixels count nowhere"])


def say_cuts(cuts: Sequence[Cut], classes: Sequence[str]) -> str:
    """Return from which score on the boxes of each class are sure."""
    return ", ".join(f"{n} from {c.sure:.2f}" for n, c in zip(classes, cuts, strict=True))


def _surest(doubts: np.ndarray, rules: Rules) -> np.ndarray:
    """Return the rows to keep; one without anything sure never is."""
    return surest(np.where(doubts < 1, 1 - doubts, -1.0), 1 - rules.doubt, rules.top)


def _options(run: Run) -> PredictConfig:
    # Who has run out of time gives images the mean of others, which is no label.
    return options_of([run.best()], None).model_copy(update={"time_limit": 0, "weights": ()})


def _readable(test: pd.DataFrame) -> np.ndarray:
    """Return `(N,)` bool which images the prediction before this could read."""
    return ~test[IMAGE_ID].astype(str).isin(last_outcome().broken_ids).to_numpy()
