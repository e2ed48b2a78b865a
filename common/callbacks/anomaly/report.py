"""Keeps what was found about a step that is not finite, and shows it wherever the run is logged."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from common.callbacks.anomaly.finding import Finding
from common.callbacks.anomaly.moment import Moment
from common.callbacks.anomaly.pictures import Shown, pictures
from common.checkpoints import save_checkpoint
from common.config import Config
from common.errors import KitError
from common.figures.gallery import Section, gallery
from common.keys import IMAGE_ID, INDEX
from common.loggers.base import Logger
from common.loggers.run_files import dumps, write_atomic

MOST = 20  # reports of one fit; what comes after is counted
SIDE = 176  # pixels of a picture in the gallery
POLICIES = {
    "stop": "training stops; everything is saved",
    "skip": "the step is left out, training goes on",
    "raise": "raising",
}


class Reporter:
    """Writes `step<k>/` with batch.pt, report.json and report.txt; logs a table and a picture."""

    def __init__(self, config: Config, logger: Logger, folder: Path) -> None:
        self.config, self.logger, self.folder = config, logger, folder

    def report(
        self, learn: Any, moment: Moment, finding: Finding, number: int, policy: str
    ) -> None:
        """Report one bad step; `number` counts them from 1."""
        step = moment.cursor.train_iter + 1
        moments = {
            "global_step": step,
            "epoch": learn.epoch + (moment.cursor.iter + 1) / learn.n_iter,
        }
        self.logger.scalars({"train/anomalies": number}, **moments)
        if number > MOST:
            return
        ids = [str(moment.batch[IMAGE_ID][row]) for row in finding.rows]
        folder = self.folder / f"step{step}"
        lines = finding.lines(ids, len(moment.batch[INDEX]))
        text = [f"ANOMALY in step {step}: {finding.headline}", *(f"  {line}" for line in lines)]
        text += [f"  nothing moved in this step; {POLICIES[policy]}", f"  kept in {folder}"]
        print("\n" + "\n".join(text), file=sys.stderr, flush=True)
        self._save(folder, moment, {"step": step, "image_ids": ids, **finding.values()}, text)
        try:
            self._log(moment, finding, moments)
        except Exception as error:  # no picture is worth a training
            if self.config.log.strict:
                raise
            print(f"warning: the report is not shown in loggers: {error!r}", file=sys.stderr)

    def _save(
        self, folder: Path, moment: Moment, values: Mapping[str, Any], text: list[str]
    ) -> None:
        state = {"torch_random": moment.started.torch, "cuda_random": moment.started.cuda}
        try:
            save_checkpoint(folder / "batch.pt", {"batch": plain(moment.batch), **state})
            write_atomic(folder / "report.json", dumps(values, indent=2).encode())
            write_atomic(folder / "report.txt", ("\n".join(text) + "\n").encode())
        except (KitError, OSError) as error:
            print(f"warning: the report is not kept: {error}", file=sys.stderr)

    def _log(self, moment: Moment, finding: Finding, moments: dict[str, Any]) -> None:
        shown = pictures(self.config, moment.batch, finding.rows, self.config.log.k)
        where = {"operation": finding.operation, "place": finding.place, "at": finding.where}
        told = {"what": finding.kind, **where, "terms": ", ".join(finding.terms)}
        rows = [
            {"image": one.image, "image_id": one.image_id, "why": one.why, "truth": one.truth}
            | told
            | {f"loss_{name}": values[one.row] for name, values in finding.losses.items()}
            for one in shown
        ]
        self.logger.table("train/anomaly", rows, **moments)
        page = gallery(_sections(finding.headline, shown), SIDE)
        self.logger.image("train/anomaly_batch", page, caption=finding.headline, **moments)


def plain(value: Any) -> Any:
    """Return a batch as tensors on the CPU and plain values, which load with weights_only."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    known = value is None or isinstance(value, str | int | float | bool)
    return value if known else str(value)


def _sections(headline: str, shown: list[Shown]) -> list[Section]:
    named = {headline: True, "The rest of the batch": False}
    return [
        Section(
            heading,
            [one.image for one in shown if bool(one.why) == bad],
            [f"{one.image_id} | {one.truth}" for one in shown if bool(one.why) == bad],
        )
        for heading, bad in named.items()
    ]
