"""Do scores tell hits from false alarms?"""

import numpy as np

from common.callbacks.looks.base import Look
from common.callbacks.looks.boxes import confidence_of
from common.callbacks.looks.distribution import EDGES, MIDDLE
from common.evaluation import Evaluation
from common.figures.distribution import draw_shares
from common.figures.panels import INK, PALE, PALETTE, dress, panel_grid
from common.keys import BOXES, PREDICTION, SCORES, TARGET
from common.metrics.box_curves import IOUS, rank_boxes


class BoxDistribution(Look):
    """Scores of hits and of false alarms at IoU 0.5; boxes found against true ones per image."""

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, a histogram and two numbers."""
        targets, predictions = evaluation[TARGET], evaluation[PREDICTION]
        ranking = rank_boxes(targets, predictions, len(self.config.classes), IOUS[:1])
        confidence = confidence_of(evaluation)
        scores, hits = ranking.scores, ranking.hits[:, 0]
        inside = (scores > MIDDLE[0]) & (scores < MIDDLE[1])
        undecided = float(inside.mean()) if len(scores) else 0.0
        figure, (left, right) = panel_grid(2, width=4.6)
        dress(left, ("score", "boxes"), "Scores of hits and false alarms at IoU 0.5")
        groups = {
            f"hits ({hits.sum():,})": np.histogram(scores[hits], EDGES)[0],
            f"false alarms ({(~hits).sum():,})": np.histogram(scores[~hits], EDGES)[0],
        }
        line = (confidence, f"tuned confidence {confidence:.2f}")
        draw_shares(left, EDGES, groups, (PALETTE[2], PALETTE[3]), line)
        left.set_yscale("symlog")  # low scores are many
        dress(right, ("true boxes", "boxes above the confidence"), "Boxes of each image")
        true = np.array([len(target[BOXES]) for target in targets])
        found = np.array([(found[SCORES] >= confidence).sum() for found in predictions])
        top = max(int(true.max(initial=0)), int(found.max(initial=0)), 1)
        right.plot([0, top], [0, top], ":", color=PALE, label="as many as there are")
        right.plot(true, found, "o", color=PALETTE[0], markersize=4, alpha=0.4, markeredgewidth=0)
        right.legend(frameon=False, fontsize=8, labelcolor=INK)
        self.logger.figure("valid/distribution", figure, **self.moment)
        counts, edges = np.histogram(scores, EDGES)
        self.logger.histogram("valid/probability", counts, edges, **self.moment)
        values = {"undecided": undecided, "best_threshold": confidence}
        named = {f"valid/distribution/{name}": value for name, value in values.items()}
        self.logger.scalars(named, **self.moment)
