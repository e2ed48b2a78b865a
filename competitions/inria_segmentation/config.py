"""Inria Aerial Image Labeling: which pixels of an aerial picture are buildings?"""

from common.config import Config, DataConfig, ModelConfig, TrainConfig
from competitions.inria_segmentation.data import CLASSES

METRICS = ()  # beside the usual ones, which are known by name

BASE = Config(
    competition="inria_segmentation",
    task="segmentation",
    classes=CLASSES,
    metric="iou",  # pixels pooled over all images; the contest also gives it per city
    watch=("pixel_accuracy", "iou_per_image", "tuned_iou"),
    data=DataConfig(
        img_size=512,  # pixels, 154 m on the ground: a block of houses
        augment="dihedral",  # north is no special direction; the sun's is learnt all the same
    ),  # folds: data.py fixes them, fold 0 is the official split
    model=ModelConfig(name="resnet34", decoder="unet"),
    train=TrainConfig(epochs=40, batch_size=16, lr=1e-3, schedule="one_cycle", ema_decay=0.999),
)

# A tiny network from random weights; two CPU minutes on the demo data.
DEMO = BASE.model_copy(
    update={
        "data.img_size": 256,
        "model.name": "test_byobnet",
        "model.weights": "none",
        "model.decoder_arguments": {"decoder_channels": (32, 24, 16, 12, 8)},
        "model.channels_last": True,
        "train.epochs": 8,
        "train.batch_size": 4,
        "train.lr": 1e-2,
        "train.ema_decay": 0,
    }
)

EXPERIMENTS = {"baseline": BASE, "demo": DEMO}
