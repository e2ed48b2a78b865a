"""Options of other tasks: which keys mean something for what is predicted, and which nothing."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from common.config.config import Config
from common.config.predict import MaskConfig
from common.errors import KitError

CLASSES, NUMBERS, MASKS, BOXES = "classification", "regression", "segmentation", "detection"
GRADES, SEVERAL = "target=ordinal", "multilabel=true"

# Keys by what alone reads them; all other keys mean something for everything.
READ_BY: dict[tuple[str, ...], tuple[str, ...]] = {
    (CLASSES,): (
        *("multilabel", "data.sampler", "train.class_weights"),
        *("model.head", "model.margin", "model.scale", "model.subcentres"),
    ),
    (SEVERAL,): ("train.asymmetric_gamma", "predict.thresholds"),
    (GRADES,): ("predict.grade_cuts",),
    (CLASSES, NUMBERS): (
        *("data.start_size", "train.layer_decay", "train.cutmix", "predict.blend"),
        *("model.pool", "model.dropouts", "model.checkpoint_gradients", "model.auxiliary"),
    ),
    (CLASSES, MASKS): ("train.label_smoothing", "train.focal_gamma"),
    (CLASSES, NUMBERS, MASKS): ("model.drop_rate",),
    (CLASSES, NUMBERS, BOXES): (
        *("data.oversample", "data.cache", "data.cache_dir", "data.cache_gb"),  # windows are cut
        "train.mixup",
    ),
    (CLASSES, MASKS, BOXES): (
        *("data.pseudo", "data.pseudo_weight", "data.pseudo_start", "data.pseudo_ramp"),
        "log.cam_class",
    ),
    (MASKS, BOXES): ("model.decoder", "model.decoder_arguments"),
    (MASKS,): (
        *("data.ignore", "model.strides", "train.stride_weight"),
        *(f"predict.masks.{name}" for name in MaskConfig.model_fields),
    ),
    (BOXES,): (*("train.mosaic", "predict.confidence", "predict.fuse_iou", "predict.fuse_least"),),
}


def foreign_keys(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the keys that nothing of this task reads, whatever they say, and who does."""
    own = {config.kind, f"target={config.target}", *([SEVERAL] if config.multilabel else [])}
    return {key: by for by, keys in READ_BY.items() if not own & set(by) for key in keys}


def refuse_foreign(config: Config, among: Sequence[str] = ("",)) -> None:
    """Raise a KitError if an option of another task is not as it is by default.

    Asked before training alone: a stored config with such an option can still be read.

    Args:
        among: keys, or beginnings of them, to look at.
    """
    usual = Config(competition="", classes=("",), metric="")
    wrong = [
        f"{key}={_value(config, key)!r} (of {' or '.join(by)})"
        for key, by in foreign_keys(config).items()
        if key.startswith(tuple(among)) and _value(config, key) != _value(usual, key)
    ]
    if wrong:
        raise KitError(
            f"expected options of {config.kind}, got {', '.join(wrong)}, which nothing would read; "
            "take out what is of another task"
        )


def _value(config: Config, key: str) -> Any:
    return reduce(getattr, key.split("."), config)
