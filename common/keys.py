"""Names of everything that samples, batches and outputs carry; spelt out nowhere else.

Shapes: N samples of a batch, C classes, H x W pixels, D features.
"""

# Inputs and targets.
IMAGE = "image"  # (N, 3, H, W) uint8, or float in 0..255 once mixed; models normalise it themselves
IMAGE_ID = "image_id"  # list of N str
INDEX = "index"  # (N,) int64, row of the sample in its frame
LABEL = "label"  # (N,) int64 class, (N, C) float for multi-label and for mixed targets

# Outputs of models.
LOGITS = "logits"  # (N, C) float
EMBEDDING = "embedding"  # (N, D) float, the features before the classifier

# Columns of a frame beside the keys above (image_id, label).
PATH = "path"  # where the image lies
FOLD = "fold"  # which fold validates on this row

# What an evaluation keeps of every sample.
TARGET = "target"  # the truth, as the metrics take it
PREDICTION = "prediction"  # (C,) float probabilities, or what the task predicts
LOSS = "loss"  # float, weighted sum of the terms
