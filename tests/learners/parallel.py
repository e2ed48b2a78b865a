"""A small training that one process or several can do."""

from common import distributed
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

CONFIG = Config(
    competition="colours",
    classes=("blue", "green", "red"),
    metric="accuracy",
    watch=("macro_f1",),
    data=DataConfig(img_size=160, augment="flip", num_workers=0, n_folds=3),
    model=ModelConfig(name="test_vit", weights="none"),  # no batch norms, which see their part
    train=TrainConfig(
        epochs=2, batch_size=7, lr=3e-3, seed=7, ema_decay=0.9, accumulate=2, clip_norm=1.0
    ),
    log=LogConfig(loggers=("local",), looks=("extremes", "label_issues"), strict=True, every=1),
)


def train(config: Config, colours, folder, callbacks=(), resume=False) -> dict:
    with distributed.joined():
        run = Run(folder)
        if distributed.is_first():
            Run.create(folder, config, resume)
        seed_everything(config.train.seed)
        loaders = fold_loaders(colours, 0, config)
        metrics = choose_metrics(config)
        learner = make_learner(make_classifier(config), *loaders, metrics, config)
        learner.add_cbs(callbacks)
        return train_run(learner, config, run, metrics, distributed.from_first(resume))
