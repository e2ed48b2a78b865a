"""Training one fold, top to bottom."""

from pathlib import Path
from typing import Any

from common.config import Config
from common.data.build_boxes import box_loaders
from common.data.folds import fold_frame
from common.environment import seed_everything
from common.learners.detection import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.detector import make_detector
from common.runs import Run
from competitions.wheat_detection.config import METRICS
from competitions.wheat_detection.data import read_train


def train(config: Config, data_dir: Path, run: Run, resume: bool = False) -> dict[str, Any]:
    """Train on all folds but `run.fold`, validate on that one; return the run's summary."""
    seed_everything(config.train.seed, config.train.deterministic)
    frame = fold_frame(run.folds_file, read_train(data_dir, config), config)
    train_loader, valid_loader = box_loaders(frame, run.fold, config, run.cache)
    metrics = choose_metrics(config, METRICS)
    model = make_detector(config, load_weights=not resume)
    learner = make_learner(model, train_loader, valid_loader, metrics, config)
    return train_run(learner, config, run, metrics, resume)
