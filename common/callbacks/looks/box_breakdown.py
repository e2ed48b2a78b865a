"""Which boxes are found, by size?"""

import numpy as np

from common.callbacks.looks.boxes import tuned_pairs
from common.callbacks.looks.breakdown import Breakdown
from common.evaluation import Evaluation
from common.figures.breakdown import pairs_figure
from common.keys import BOXES, PREDICTION, TARGET
from common.metrics.box_pairs import NOBODY

ENDS = (16, 32, 64, 96)  # pixels of the network's picture, side of a square of that area
NAMES = ("side < 16", "16 to 32", "32 to 64", "64 to 96", "side > 96")


class BoxBreakdown(Breakdown):
    """Groups of images, and recall and precision by the size of boxes."""

    def look(self, evaluation: Evaluation) -> None:
        """Log what all tasks do, and a table and a figure of sizes."""
        super().look(evaluation)
        rows = [row for row in size_rows(evaluation, len(self.config.classes)) if row["boxes"]]
        if not rows:
            return
        self.logger.table("valid/breakdown_table/box_size", rows, **self.moment)
        parts = {key: np.array([row[key] for row in rows]) for key in ("recall", "precision")}
        names = [f"{row['size']} ({row['boxes']:,})" for row in rows]
        title = "At IoU 0.5 and the tuned confidence, by box size in pixels"
        figure = pairs_figure(names, parts, "share of boxes", title)
        self.logger.figure("valid/breakdown/box_size", figure, **self.moment)


def size_rows(evaluation: Evaluation, num_classes: int) -> list[dict[str, str | int | float]]:
    """Return by size: true boxes, boxes found, recall and precision, a right class being part."""
    pairs = tuned_pairs(evaluation, num_classes)
    right = pairs.actual == pairs.predicted
    true = _bins(evaluation[TARGET], pairs.image, pairs.truth)
    found = _bins(evaluation[PREDICTION], pairs.image, pairs.found)
    truths, guesses = (np.bincount(bins[bins >= 0], minlength=len(NAMES)) for bins in (true, found))
    hits, kept = (np.bincount(bins[right], minlength=len(NAMES)) for bins in (true, found))
    return [
        {
            "size": name,
            "boxes": int(truths[place]),
            "found": int(guesses[place]),
            "recall": float(hits[place] / truths[place]) if truths[place] else np.nan,
            "precision": float(kept[place] / guesses[place]) if guesses[place] else np.nan,
        }
        for place, name in enumerate(NAMES)
    ]


def _bins(items: list, image: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return `(P,)` the bin of each box, -1 for nobody."""
    starts = np.cumsum([0, *(len(item[BOXES]) for item in items)])[:-1]
    boxes = np.concatenate([np.zeros((1, 4)), *(item[BOXES].reshape(-1, 4) for item in items)])
    chosen = boxes[np.where(row == NOBODY, 0, 1 + starts[image] + row)]
    sides = np.sqrt((chosen[:, 2:] - chosen[:, :2]).clip(0).prod(axis=1))
    return np.where(row == NOBODY, NOBODY, np.searchsorted(ENDS, sides, side="right"))
