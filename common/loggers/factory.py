"""Loggers by name, as `log.loggers` of a config lists them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import KitError, did_you_mean
from common.loggers.base import Logger
from common.loggers.fan_out import FanOut, report

NAMES = ("wandb", "tensorboard", "local")


def make_loggers(
    names: Sequence[str],
    run_dir: Path,
    *,
    project: str,
    name: str,
    group: str,
    tags: Sequence[str] = (),
    state: Mapping[str, Any] | None = None,
    strict: bool = False,
) -> FanOut:
    """Open the named loggers on a run folder.

    `state` is what `FanOut.state()` returned in the run that is resumed. A logger that cannot be
    opened is reported and left out, or raises if `strict`; an unknown name always raises KitError.
    """
    for known in names:
        if known not in NAMES:
            hint = did_you_mean(known, NAMES)
            raise KitError(f"expected loggers among {', '.join(NAMES)}, got '{known}'; {hint}")
    opened: list[Logger] = []
    for which in dict.fromkeys(names):
        before = dict((state or {}).get(which) or {})
        try:
            opened.append(_open(which, Path(run_dir), before, (project, name, group), tags))
        except Exception as error:
            if strict:
                raise
            report(f"logger '{which}' could not be opened: {type(error).__name__}: {error}")
    return FanOut(opened, strict)


def _open(
    which: str,
    run_dir: Path,
    state: Mapping[str, Any],
    titles: tuple[str, str, str],
    tags: Sequence[str],
) -> Logger:
    if which == "wandb":
        from common.loggers.wandb import WandbLogger

        return WandbLogger(run_dir, *titles, tags=tags, run_id=state.get("run_id"))
    if which == "tensorboard":
        from common.loggers.tensorboard import TensorBoardLogger

        return TensorBoardLogger(run_dir, state)
    from common.loggers.local import LocalLogger

    return LocalLogger(run_dir, state)
