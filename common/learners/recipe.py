"""From a config to a trained run: which callbacks a training has, and how it ends."""

from collections.abc import Sequence
from typing import Any

from torch.autograd import set_detect_anomaly

from common import distributed
from common.callbacks.accumulate import Accumulate
from common.callbacks.anomaly import guards
from common.callbacks.average import Average
from common.callbacks.best import VALID_LOSS, Best
from common.callbacks.checkpoint import Checkpoint
from common.callbacks.clip import Clip
from common.callbacks.console import Console
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.interrupt import Interrupt
from common.callbacks.keep import KeepBest
from common.callbacks.lookahead import SlowWeights
from common.callbacks.looks import make_looks
from common.callbacks.looks.shared import shared
from common.callbacks.mix import Mix
from common.callbacks.out_of_fold import OutOfFold
from common.callbacks.parallel import parallel_callbacks
from common.callbacks.patience import Patience
from common.callbacks.record import Record
from common.callbacks.schedule import Schedule, freeze_then, hold, make_shape
from common.callbacks.swa import Swa
from common.callbacks.unfreeze import Unfreeze
from common.checkpoints import load_newest
from common.config import Config, flatten, refuse_foreign
from common.data.loaders import stop_workers
from common.errors import KitError
from common.learners.base import Learner
from common.learners.optimiser import LOOKAHEAD
from common.learners.rehearsal import rehearse
from common.learners.trouble import fit_through, take_batch_size
from common.loggers.base import Logger
from common.loggers.factory import make_loggers
from common.loggers.fan_out import FanOut
from common.loggers.report import write_report
from common.metrics.base import Metric
from common.models.compiled import compile_model
from common.run_lock import unlock_run
from common.runs import Run, hash_weights
from common.session import Session


def technique_callbacks(config: Config) -> list[Any]:
    """Return the callbacks that change how the weights are found."""
    train, callbacks = config.train, []
    shape = make_shape(train.schedule, train.warmup)
    if train.freeze_epochs:
        share = train.freeze_epochs / (train.freeze_epochs + train.epochs)
        shape = freeze_then(shape, share)
        callbacks.append(Unfreeze(train.freeze_epochs))
    if train.swa_lr:
        shape = hold(shape, train.swa_start, train.swa_lr)
    callbacks.append(Schedule(shape))
    if config.task == "classification" and (train.mixup or train.cutmix):
        callbacks.append(
            Mix(train.mixup, train.cutmix, len(config.classes), config.model.auxiliary)
        )
    if train.accumulate > 1:
        callbacks.append(Accumulate(train.accumulate))
    if train.amp != "none":
        callbacks.append(HalfPrecision(train.amp))
    if train.clip_norm:
        callbacks.append(Clip(train.clip_norm))
    if train.optimiser.startswith(LOOKAHEAD):
        callbacks.append(SlowWeights())
    if average := _average(config):
        callbacks.append(average)
    return callbacks


def _average(config: Config) -> Average | None:
    train = config.train
    if train.ema_decay and train.swa_start:
        raise KitError(
            "expected one average of weights, got train.ema_decay and train.swa_start; set one to 0"
        )
    if train.swa_lr and not train.swa_start:
        raise KitError(f"expected train.swa_start with train.swa_lr={train.swa_lr:g}; set both")
    if train.ema_decay:
        return Ema(train.ema_decay)
    return Swa(train.swa_start) if train.swa_start else None


def watching_callbacks(config: Config, logger: Logger, run: Run | None = None) -> list[Any]:
    """Return the callbacks that only watch."""
    looks = make_looks(config, logger)
    for look in looks:
        look.run_folder = run
    console = [Console()] if distributed.is_first() else []
    return [Record(logger, config.log.every), *console, *shared(looks)]


def train_run(
    learner: Learner, config: Config, run: Run, metrics: Sequence[Metric], resume: bool = False
) -> dict[str, Any]:
    """Train, log, save and sum up one run; go on with an earlier one if `resume` finds it.

    Of several processes all train, and the first one does all else.

    Args:
        metrics: the competition's own first; each keeps its best checkpoint.

    Returns:
        The run's summary, as `kit runs --json` lists it.
    """
    if rehearse(learner):
        return {}
    refuse_foreign(config)  # told before there was a learner, where a command trains
    if config.model.compile:
        compile_model(learner.model, learner.device)
    resume = distributed.from_first(resume and run.can_resume)
    first = distributed.is_first()
    learner.add_cbs(parallel_callbacks(learner, config))
    logger = make_loggers(
        config.log.loggers if first else (),
        run.folder,
        project=run.competition,
        name=run.name,
        group=run.experiment,
        state=load_newest(run.saved)[1]["training"]["loggers"] if resume and first else {},
        strict=config.log.strict,
    )
    session, known = Session(config.train.time_limit), facts(learner, config, run)
    best = Best(run, [*metrics, VALID_LOSS], known)
    saver = Checkpoint(run, known, logger, config.train.save_minutes, session)
    watching = [*watching_callbacks(config, logger, run), best, OutOfFold(run, config, best)]
    if config.train.keep_best > 1:
        watching.append(KeepBest(run, metrics[0], config.train.keep_best, known))
    if config.train.patience:
        frozen = config.train.freeze_epochs
        watching.append(Patience(config.train.patience, config.metric, best, frozen))
    watching += guards(config, logger, run.folder / "anomalies")
    learner.add_cbs([*technique_callbacks(config), *watching, Interrupt(session), saver])
    if resume:
        state = saver.resume()
        print(f"resuming after epoch {state['epoch']}, batch {state['batch']}", flush=True)
        take_batch_size(learner, state)
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


def _fit(
    learner: Learner, config: Config, run: Run, saver: Checkpoint, logger: FanOut
) -> dict[str, Any]:
    first = distributed.is_first()
    if first:
        run.write_summary(status="running", config=config.model_dump(mode="json"))
    status = "failed"
    try:
        with set_detect_anomaly(config.train.detect_anomaly):
            fit_through(learner, config, saver)
        status = "interrupted" if learner.interrupted else "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        try:
            if first:
                _sum_up(learner, run, saver, logger, status)
        finally:
            unlock_run(run.folder)
            for loader in (learner.dls.train, learner.dls.valid):
                stop_workers(loader)
    return distributed.from_first(run.summary if first else {})


def _sum_up(learner: Learner, run: Run, saver: Checkpoint, logger: FanOut, status: str) -> None:
    config = run.config
    best = learner.best_callback.best.get(config.metric, {})
    scores = best.get("scores") or getattr(learner, "scores", {})
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
    if status == "finished" and run.best().exists():  # one that goes on would change the file
        logger.artifact("checkpoint", run.best(), "model")
    logger.finish(status)
    write_report(run.folder)
