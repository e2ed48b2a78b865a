"""Names of everything that samples, batches and outputs carry; spelt out nowhere else.

Shapes: N samples of a batch, C classes, H x W pixels, D features, K boxes of one sample.
"""

# Inputs and targets.
IMAGE = "image"  # (N, 3, H, W) uint8, or float in 0..255 once mixed; models normalise it themselves
IMAGE_ID = "image_id"  # list of N str
INDEX = "index"  # (N,) int64, row of the sample in its frame
LABEL = "label"  # (N,) int64 class, (N, C) float for multi-label and for mixed targets
MASK = "mask"  # (N, H, W) uint8: 0/1 for one class, else the class; IGNORE counts nowhere
BOXES = "boxes"  # list of N (K, 4) float32, xyxy pixels of IMAGE
LABELS = "labels"  # list of N (K,) int64, class of each box
SIZE = "size"  # (N, 2) int64, height and width of the picture before it was resized
GROUP = "group"  # (N,) int64, code of what is scored together (a city)
WEIGHT = "weight"  # (N,) float, of each sample's loss while training; absent: 1 each
IGNORE = 255  # value of a mask where nothing is known, or where there is only padding

# Outputs of models.
LOGITS = "logits"  # (N, C) float
LOGITS_DROPPED = "logits_dropped"  # (N, M, C) float, of M masks of dropout; M = 1 if not training
VALUES = "values"  # (N, C) float, of a regression in the target's units; LOGITS are standardised
EMBEDDING = "embedding"  # (N, D) float, the features before the classifier

MASK_LOGITS = "mask_logits"  # (N, C, H, W) float, C = 1 for one class
MASK_LOGITS_STRIDE_4 = "mask_logits_stride_4"  # (N, C, H / 4, W / 4) float, and so on
MASK_LOGITS_STRIDE_8 = "mask_logits_stride_8"
MASK_LOGITS_STRIDE_16 = "mask_logits_stride_16"
MASK_LOGITS_STRIDE_32 = "mask_logits_stride_32"
SCORES = "scores"  # list of N (K,) float, confidence of each box of BOXES, with LABELS
LOSS_CLASSES = "loss_classes"  # (N,) float, a detector's own terms, for their targets are
LOSS_BOXES = "loss_boxes"  # (N,) float, matched inside of it
LOSS_CENTRES = "loss_centres"  # (N,) float

# Columns of a frame beside the keys above (image_id, label, mask, boxes, labels, group).
PATH = "path"  # where the image lies
FOLD = "fold"  # which fold validates on this row
OBJECTS = "objects"  # one class: true objects, a label map's path, or run-length codes by line

# What an evaluation keeps of every sample.
TARGET = "target"  # the truth, as the metrics take it
PREDICTION = "prediction"  # (C,) float probabilities, or what the task predicts
LOSS = "loss"  # float, weighted sum of the terms but auxiliary ones
SCORE = "score"  # float, prefix of further scores, of which the mean is logged; NaN is unknown
PROBABILITY = "prob_"  # column prefix in files, followed by the class


def auxiliary_target(column: str) -> str:
    """Return the key of a batch that holds an auxiliary column's targets.

    `(N, K)` float shares of its classes, all 0 where it is unknown; of a number `(N, 2)`: the
    number, and 1 where it is known.
    """
    return f"auxiliary_{column}"


def auxiliary_score(column: str, measure: str) -> str:
    """Return the name of an auxiliary column's score: its accuracy, or its mae of a number."""
    return f"auxiliary_{column}_{measure}"


def auxiliary_logits(column: str) -> str:
    """Return the key of an output `(N, K)` for an auxiliary column; K = 1 of a number."""
    return f"auxiliary_logits_{column}"


THRESHOLD = "mask"  # name of a checkpoint's threshold of masks
CONFIDENCE = "confidence"  # and of boxes
