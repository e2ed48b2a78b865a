"""ALASKA2 Image Steganalysis: is a message hidden in this JPEG?"""

from common.config import Config, DataConfig, KernelConfig, ModelConfig, TrainConfig
from competitions.alaska2_classification.data import CLASSES
from competitions.alaska2_classification.metric import WEIGHTED_AUC

METRICS = (WEIGHTED_AUC,)  # beside the usual ones, which are known by name

BASE = Config(
    competition="alaska2_classification",
    slug="alaska2-image-steganalysis",
    classes=CLASSES,
    metric="weighted_auc",
    watch=("accuracy",),
    data=DataConfig(
        img_size=None,  # resizing would wipe out the message
        augment="dihedral",  # exact: turns and mirrors move pixels and change none
        fold_kind="stratified_group",
        fold_stratify="quality",  # JPEG quality factor of the cover
        fold_group="group",  # a cover and its three stego versions
    ),
    model=ModelConfig(name="tf_efficientnet_b2.ns_jft_in1k"),
    train=TrainConfig(epochs=30, batch_size=32, lr=1e-3, schedule="one_cycle", ema_decay=0.999),
    kernel=KernelConfig(hidden_images=5000),
)

BINARY = BASE.model_copy(update={"classes": ("Cover", "Stego")})

# A tiny network whose stem keeps what a message leaves behind; one CPU minute on the demo data.
DEMO = BASE.model_copy(
    update={
        "model.name": "test_byobnet",
        "model.weights": "none",
        "model.channels_last": True,
        "train.epochs": 12,
        "train.batch_size": 16,
        "train.lr": 3e-3,
        "train.ema_decay": 0,
    }
)

EXPERIMENTS = {"baseline": BASE, "binary": BINARY, "demo": DEMO}
