"""Training one fold, top to bottom."""

from pathlib import Path
from typing import Any

from common.config import Config
from common.data.build_masks import mask_loaders
from common.data.folds import fold_frame
from common.environment import seed_everything
from common.learners.recipe import train_run
from common.learners.segmentation import make_learner
from common.metrics.choose import choose_metrics
from common.models.segmenter import make_segmenter
from common.runs import Run
from competitions.inria_segmentation.config import METRICS
from competitions.inria_segmentation.data import read_train


def train(config: Config, data_dir: Path, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on all folds but `run.fold`, validate on that one; return the run's summary."""
    seed_everything(config.train.seed, config.train.deterministic)
    frame = fold_frame(run.folds_file, read_train(data_dir, config), config)
    train_loader, valid_loader = mask_loaders(frame, run.fold, config, run.cache)
    metrics = choose_metrics(config, METRICS)
    model = make_segmenter(config, load_weights=not resume)
    learner = make_learner(model, train_loader, valid_loader, metrics, config)
    return train_run(learner, config, run, metrics, resume)
