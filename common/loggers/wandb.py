"""Weights & Biases; the only file that imports it."""

import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.environment import redact
from common.figures.encode import figure_to_image
from common.figures.lines import curve_figure, histogram_figure
from common.loggers.wandb_mode import choose_mode
from common.loggers.wandb_pictures import encode, make_picture
from common.loggers.wandb_tables import Tables

MAX_BINS = 512  # wandb refuses more
SETTINGS = {
    "console": "off",  # progress bars would fill the log
    "silent": True,
    "init_timeout": 20.0,  # seconds; the default waits for 90
    "finish_timeout": 60.0,  # seconds; without it a lost network hangs the end of a run
    "x_stats_sampling_interval": 30.0,  # seconds
}
EXIT_CODES = {"finished": 0, "interrupted": 255, "failed": 1}


class WandbLogger:
    """Logs to a run that keeps its id when resumed; offline where the service cannot be reached.

    `wandb.log(step=)` is never used, since a resumed run would lose points: every call carries
    `global_step` and `epoch`, `valid/...` is drawn over `epoch` and all else over `global_step`.

    Pictures of a table are a media panel, `<name>_images`, with the epoch as its slider; a picture
    that stays the same is one file. The table holds a picture only where it first appears: cells
    of a table are stored again with every table, and those of an offline run refer to files by
    absolute path and are lost once the run folder moves. All files stay inside `run_dir/wandb`.
    """

    every_step = False  # a call costs 0.2 ms

    def __init__(
        self,
        run_dir: Path,
        project: str,
        name: str,
        group: str,
        tags: Sequence[str] = (),
        run_id: str | None = None,
        mode: str | None = None,
    ):
        wandb = self._wandb = load_wandb()
        self._run_id = run_id or secrets.token_hex(4)
        self._environment = _keep_inside(Path(run_dir).resolve() / "wandb")
        self._axes: set[str] = set()
        self._run = start_run(
            choose_mode(wandb.Settings().base_url, mode),
            dir=str(Path(run_dir).resolve()),
            project=project,
            name=name,
            group=group,
            tags=list(tags),
            id=self._run_id,
            resume="allow" if run_id else None,  # a fresh id has nothing to resume
        )
        self._tables = Tables(wandb, Path(self._run.dir))
        self._run.define_metric("global_step", hidden=True)
        self._run.define_metric("epoch", hidden=True)

    def scalars(self, values: Mapping[str, float], *, global_step: int, epoch: float) -> None:
        """Log all values in one call."""
        self._log(values, global_step, epoch)

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Log a picture as JPEG."""
        picture = make_picture(self._wandb, encode(image), caption)
        self._log({name: picture}, global_step, epoch)

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a figure as a picture."""
        self.image(name, figure_to_image(figure), global_step=global_step, epoch=epoch)

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a histogram; one of more than 512 bins as a picture."""
        if len(counts) > MAX_BINS:
            figure = histogram_figure(counts, edges, name)
            self.figure(name, figure, global_step=global_step, epoch=epoch)
            return
        bins = self._wandb.Histogram(np_histogram=(counts.tolist(), edges.tolist()))
        self._log({name: bins}, global_step, epoch)

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Log pictures as the list `<name>_images`, and the table with those that are new.

        Every row names the file of its picture in the list, in `<column>_file`.
        """
        pictures = self._tables.pictures(f"{name}_images", rows)
        if pictures:
            self._log({f"{name}_images": list(pictures.values())}, global_step, epoch)
        self._log({name: self._tables.table(rows, pictures)}, global_step, epoch)
        self._tables.release()

    def curve(
        self,
        name: str,
        x: np.ndarray,
        y: np.ndarray,
        *,
        axes: tuple[str, str],
        global_step: int,
        epoch: float,
        counts: np.ndarray | None = None,
    ) -> None:
        """Log the line as a picture: custom charts that are logged repeatedly overlap."""
        figure = curve_figure(x, y, axes, name)
        self.figure(name, figure, global_step=global_step, epoch=epoch)

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Put the config into the run's config and the metrics into its summary."""
        self._run.config.update(dict(config), allow_val_change=True)
        self._run.summary.update(dict(metrics))

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Keep a file or folder with the run, not copied: log what is not written to any more."""
        safe = re.sub(r"[^\w.-]", "_", name)[:128]
        artifact = self._wandb.Artifact(safe, type=kind)
        if Path(path).is_dir():
            artifact.add_dir(str(path), skip_cache=True, policy="immutable")
        else:
            artifact.add_file(str(path), skip_cache=True, policy="immutable")
        self._run.log_artifact(artifact)

    def state(self) -> dict[str, Any]:
        """Return the run's id."""
        return {"run_id": self._run_id}

    def finish(self, status: str = "finished") -> None:
        """Close the run with an exit code that tells its status."""
        self._run.finish(exit_code=EXIT_CODES.get(status, 1))
        for key in self._environment:
            os.environ.pop(key, None)

    def _log(self, values: Mapping[str, Any], global_step: int, epoch: float) -> None:
        for name in values.keys() - self._axes:
            # Named one by one: which of two overlapping patterns wins is not defined.
            axis = "epoch" if name.startswith("valid/") else "global_step"
            self._run.define_metric(name, step_metric=axis)
            self._axes.add(name)
        self._run.log({**values, "global_step": global_step, "epoch": epoch})


def load_wandb() -> Any:
    """Return wandb, imported when it is first asked for."""
    import wandb

    return wandb


def start_run(mode: Any, **given: Any) -> Any:
    """Return a run in our settings; offline where it cannot begin online. Says where it is."""
    wandb, words = load_wandb(), sys.argv
    sys.argv = [redact(word) for word in words]  # wandb keeps the command line
    given = {"reinit": "finish_previous", "settings": _settings(wandb), **given}
    try:
        run = _start(wandb, mode, given)
    finally:
        sys.argv = words
    if run.settings._offline:
        print(f"wandb: offline; upload later by: wandb sync {run.settings.sync_dir}")
    elif run.url:
        print(f"wandb: {run.url}")
    return run


def _start(wandb: Any, mode: Any, given: Mapping[str, Any]) -> Any:
    try:
        return wandb.init(mode=mode, **given)
    except Exception as error:
        if "ServiceConnect" in type(error).__name__ and os.environ.pop("WANDB_SERVICE", ""):
            return _start(wandb, mode, given)  # it named a process of wandb's that is gone
        if mode != "online":
            raise
        reason = str(error).strip().partition("\n")[0]
        print(f"wandb: going offline, {type(error).__name__}: {reason}", flush=True)
        wandb.teardown(1)  # the failed attempt still holds the id
        return wandb.init(mode="offline", **given)


def _settings(wandb: Any) -> Any:
    """Return our settings, less what this version does not know or the environment sets."""
    known = wandb.Settings.model_fields
    free = [k for k in SETTINGS if k in known and f"WANDB_{k.upper()}" not in os.environ]
    return wandb.Settings(**{k: SETTINGS[k] for k in free})


def _keep_inside(folder: Path) -> list[str]:
    """Point wandb's stores into the run folder, where the user has not placed them elsewhere."""
    places = {"WANDB_DATA_DIR": folder / "data", "WANDB_CACHE_DIR": folder / "cache"}
    changed = [key for key in places if key not in os.environ]
    for key in changed:
        places[key].mkdir(parents=True, exist_ok=True)
        os.environ[key] = str(places[key])
    return changed
