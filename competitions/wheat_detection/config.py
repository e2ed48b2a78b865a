"""Global Wheat Detection: a box around every wheat head."""

from common.config import Config, DataConfig, KernelConfig, LogConfig, ModelConfig, TrainConfig
from competitions.wheat_detection.data import CLASSES, STRATUM

METRICS = ()  # beside the usual ones, which are known by name

BASE = Config(
    competition="wheat_detection",
    task="detection",
    slug="global-wheat-detection",
    classes=CLASSES,
    metric="cross_tuned_wheat_score",  # with a confidence threshold of other images
    watch=("coco_map",),
    data=DataConfig(
        img_size=512,
        augment="dihedral",  # a field seen from above has no upper side
        fold_kind="stratified",
        fold_stratify=STRATUM,  # source and number of boxes
    ),
    model=ModelConfig(name="resnet50.a1_in1k", decoder="fcos"),
    train=TrainConfig(epochs=30, batch_size=16, lr=5e-4, schedule="one_cycle", ema_decay=0.999),
    log=LogConfig(rank_by="score"),  # a loss grows with the number of heads
    kernel=KernelConfig(hidden_images=1000),  # ten are public
)

# A tiny network from random weights; two CPU minutes on the demo data.
DEMO = BASE.model_copy(
    update={
        "data.img_size": 256,
        "model.name": "resnet10t",
        "model.weights": "none",
        "model.arguments": {"channels": (16, 32, 64, 128), "stem_width": 16},
        "model.decoder_arguments": {
            "fpn_channels": 64,
            "num_convs": 2,
            "strides": (8, 16),  # heads are 15 to 40 pixels long
            "extra_levels": False,
        },
        "model.channels_last": True,
        "train.epochs": 18,
        "train.batch_size": 4,
        "train.lr": 3e-3,
        "train.clip_norm": 2,  # without it such a rate throws the training back
        "train.ema_decay": 0,
    }
)

EXPERIMENTS = {"baseline": BASE, "demo": DEMO}
