"""Sweeps of Weights & Biases: the service draws the values, an agent here tries them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import KitError
from common.loggers.wandb import load_wandb, start_run
from common.loggers.wandb_mode import choose_mode, why_no_account

OF_A_TRIAL = ("WANDB_RUN_ID", "WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_DIR")


class Trial:
    """A run of the sweep: what it tries, and where its score goes."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self.id: str = run.id
        self.values: dict[str, Any] = dict(run.config)

    def log(self, values: Mapping[str, float]) -> None:
        """Log one more point; the service may stop the trial by the metric's points."""
        self._run.log(dict(values))


def expect_account(instead: str) -> None:
    """Raise KitError unless the service can be reached as somebody.

    Args:
        instead: the command that needs no account.
    """
    lacking = why_no_account(load_wandb().Settings().base_url)
    if lacking:
        raise KitError(
            f"expected a W&B account for --wandb, got {lacking}; log in by `wandb login`, or sweep "
            f"without an account by Optuna: {instead}"
        )


def create_sweep(settings: Mapping[str, Any], project: str) -> str:
    """Return the id of a new sweep; wandb prints its address.

    Raises:
        KitError: the service refuses it.
    """
    try:
        return load_wandb().sweep(dict(settings), project=project)
    except Exception as error:  # wandb's and the network's have no common base class
        raise KitError(f"expected a new sweep on W&B, got: {_said(error)}; try again") from None


def run_agent(
    sweep_id: str, project: str, function: Callable[[], None], count: int, folder: Path
) -> None:
    """Call a function for each trial that the service gives, at most `count` times.

    It is called in a thread of its own, within which `begin_trial` tells what to try.

    Args:
        folder: where wandb keeps the values of each trial.

    Raises:
        KitError: there is no such sweep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("WANDB_DIR")
    os.environ["WANDB_DIR"] = str(folder.resolve())
    try:
        load_wandb().agent(sweep_id, function=function, project=project, count=count)
    except Exception as error:  # as above
        raise KitError(
            f"expected the sweep '{sweep_id}' in W&B's project '{project}', got: {_said(error)}; "
            "copy its id from its page"
        ) from None
    finally:
        if before is None:
            os.environ.pop("WANDB_DIR", None)
        else:
            os.environ["WANDB_DIR"] = before


@contextmanager
def begin_trial(project: str, folder: Path) -> Iterator[Trial]:
    """Yield the trial that the agent has just been given; its run ends with the block.

    An error that leaves the block marks the run as failed.
    """
    wandb = load_wandb()
    mode = choose_mode(wandb.Settings().base_url)
    run = start_run(mode, project=project, dir=str(folder.resolve()))
    try:
        yield Trial(run)
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def outside_trial() -> dict[str, str]:
    """Return the environment without what makes a process's runs part of the sweep's trial."""
    return {key: value for key, value in os.environ.items() if key not in OF_A_TRIAL}


def _said(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
