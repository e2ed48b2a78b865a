"""What looks at boxes share: the confidence from which on a box counts, and who found whom."""

import numpy as np

from common.evaluation import Evaluation
from common.keys import PREDICTION, TARGET
from common.metrics.box_pairs import BoxPairs, pair_boxes
from common.metrics.detection import USUAL_CONFIDENCE, tune_confidence
from common.metrics.matching import separate_classes


def confidence_of(evaluation: Evaluation) -> float:
    """Return the confidence that scores best on this evaluation; 0.5 where none does."""
    truths, found = evaluation[TARGET], evaluation[PREDICTION]
    best, _ = tune_confidence(separate_classes(truths), separate_classes(found))
    return best if np.isfinite(best) else USUAL_CONFIDENCE


def tuned_pairs(evaluation: Evaluation, num_classes: int) -> BoxPairs:
    """Return who stands for whom at IoU 0.5 among the boxes above that confidence."""
    confidence = confidence_of(evaluation)
    return pair_boxes(evaluation[TARGET], evaluation[PREDICTION], num_classes, confidence)
