"""Options that a task cannot follow are told, not passed over."""

from common.config import Config
from common.errors import KitError

CLASSIFIERS_ONLY = (
    *("data.sampler", "data.start_size", "train.class_weights", "train.layer_decay"),
    *("model.pool", "model.head", "model.dropouts", "model.checkpoint_gradients"),
    "model.auxiliary",
)


def refuse_options_of_classifiers(config: Config) -> None:
    """Raise a KitError if an option of classification alone is not as it is by default."""
    usual = Config(competition="", classes=("",), metric="")
    for key in CLASSIFIERS_ONLY:
        part, _, name = key.partition(".")
        value, default = (getattr(getattr(values, part), name) for values in (config, usual))
        if value != default:
            raise KitError(
                f"expected {key}={default!r} for {config.task}, got {value!r}; it is an option of "
                f"classification alone, take it out"
            )
