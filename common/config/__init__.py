"""Typed values that describe a run: what a competition fixes and what an experiment changes."""

from common.config.config import Config
from common.config.data import DataConfig
from common.config.foreign import foreign_keys, refuse_foreign
from common.config.kernel import KernelConfig
from common.config.log import LogConfig
from common.config.model import ModelConfig
from common.config.predict import MaskConfig, PredictConfig
from common.config.train import TrainConfig
from common.config.values import Values, explain, flatten
from common.config.words import OVERRIDES, expand_files, parse_overrides

__all__ = [
    "OVERRIDES",
    "Config",
    "DataConfig",
    "KernelConfig",
    "LogConfig",
    "MaskConfig",
    "ModelConfig",
    "PredictConfig",
    "TrainConfig",
    "Values",
    "expand_files",
    "explain",
    "flatten",
    "foreign_keys",
    "parse_overrides",
    "refuse_foreign",
]
