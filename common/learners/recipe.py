"""From a config to a trained run: which callbacks a training has, and how it ends."""

from collections.abc import Sequence
from typing import Any

from common.callbacks.accumulate import Accumulate
from common.callbacks.checkpoint import VALID_LOSS, Checkpoint
from common.callbacks.console import Console
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.interrupt import Interrupt
from common.callbacks.looks import make_looks
from common.callbacks.mix import Mix
from common.callbacks.out_of_fold import OutOfFold
from common.callbacks.record import Record
from common.callbacks.schedule import Schedule, freeze_then, make_shape
from common.callbacks.unfreeze import Unfreeze
from common.checkpoints import load_checkpoint
from common.config import Config, flatten
from common.learners.base import Learner
from common.loggers.base import Logger
from common.loggers.factory import make_loggers
from common.loggers.fan_out import FanOut
from common.loggers.report import write_report
from common.metrics.base import Metric
from common.runs import Run, hash_weights


def technique_callbacks(config: Config) -> list[Any]:
    """Return the callbacks that change how the weights are found."""
    from fastai.callback.training import GradientClip

    train, callbacks = config.train, []
    shape = make_shape(train.schedule, train.warmup)
    if train.freeze_epochs:
        share = train.freeze_epochs / (train.freeze_epochs + train.epochs)
        shape = freeze_then(shape, share)
        callbacks.append(Unfreeze(train.freeze_epochs))
    callbacks.append(Schedule(shape))
    if config.task == "classification" and (train.mixup or train.cutmix):
        callbacks.append(Mix(train.mixup, train.cutmix, len(config.classes)))
    if train.accumulate > 1:
        callbacks.append(Accumulate(train.accumulate))
    if train.amp != "none":
        callbacks.append(HalfPrecision(train.amp))
    if train.clip_norm:
        callbacks.append(GradientClip(train.clip_norm))
    if train.ema_decay:
        callbacks.append(Ema(train.ema_decay))
    return callbacks


def watching_callbacks(config: Config, logger: Logger, run: Run | None = None) -> list[Any]:
    """Return the callbacks that only watch."""
    looks = make_looks(config, logger)
    for look in looks:
        look.run_folder = run
    return [Record(logger, config.log.every), Console(), *looks]


def train_run(
    learner: Learner, config: Config, run: Run, metrics: Sequence[Metric], resume: bool = False
) -> dict[str, Any]:
    """Train, log, save and sum up one run; go on with an earlier one if `resume` finds it.

    Args:
        metrics: the competition's own first; each keeps its best checkpoint.

    Returns:
        The run's summary, as `kit runs --json` lists it.
    """
    earlier = load_checkpoint(run.last)["training"]["loggers"] if _resumes(run, resume) else {}
    logger = make_loggers(
        config.log.loggers,
        run.folder,
        project=run.competition,
        name=run.name,
        group=run.experiment,
        state=earlier,
        strict=config.log.strict,
    )
    saver = Checkpoint(run, [*metrics, VALID_LOSS], facts(learner, config, run), logger)
    watching = [*watching_callbacks(config, logger, run), saver, OutOfFold(run, config, saver)]
    learner.add_cbs([*technique_callbacks(config), *watching, Interrupt(config.train.time_limit)])
    if _resumes(run, resume):
        state = saver.resume()
        print(f"resuming after epoch {state['epoch']}, batch {state['batch']}")
    return _fit(learner, config, run, saver, logger)


def facts(learner: Learner, config: Config, run: Run) -> dict[str, Any]:
    """Return what predicting needs beside the weights, as plain values."""
    return {
        "config": config.model_dump(mode="json"),
        "classes": list(config.classes),
        "preprocessing": getattr(learner.model, "preprocessing", {}),
        "competition": run.competition,
        "fold": run.fold,
    }


def _resumes(run: Run, resume: bool) -> bool:
    return resume and run.last.exists()


def _fit(
    learner: Learner, config: Config, run: Run, saver: Checkpoint, logger: FanOut
) -> dict[str, Any]:
    run.write_summary(status="running", config=config.model_dump(mode="json"))
    status = "failed"
    try:
        learner.fit(config.train.freeze_epochs + config.train.epochs)
        status = "interrupted" if learner.interrupted else "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        _sum_up(learner, run, saver, logger, status)
    return run.summary


def _sum_up(learner: Learner, run: Run, saver: Checkpoint, logger: FanOut, status: str) -> None:
    config = run.config
    best = saver.best.get(config.metric, {})
    scores = load_checkpoint(run.best())["scores"] if best else getattr(learner, "scores", {})
    run.write_summary(
        status=status,
        metrics=scores,
        best_epoch=best.get("epoch"),
        seconds=round(saver.total_seconds, 1),
        weights_sha256=hash_weights(learner.model.state_dict()),
        interrupted_by=learner.interrupted,
    )
    logger.hyperparameters(dict(flatten(config.model_dump(mode="json"))), scores)
    if run.oof_file.exists():
        logger.artifact("oof", run.oof_file, "predictions")
    logger.finish(status)
    write_report(run.folder)
