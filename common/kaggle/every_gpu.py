"""Predicts with every GPU that a kernel's machine has, a process for each: Kaggle's has two T4."""

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.launch import run_in_processes

FACTS = "facts.json"
Told = tuple[str, dict[str, Any]]  # the file that was written, and what is known of it


def predict_on_every_gpu(
    competition: str, checkpoints: Sequence[Path], place: Path, out: Path, options: dict[str, Any]
) -> Told:
    """Predict as the competition's `predict.py` does; return its file and facts of the prediction.

    Where several processes fail this one does it alone: no speed is worth a submission.

    Args:
        options: the config's `predict` section, as plain values.
    """
    work: dict[str, Any] = {"competition": competition, "place": str(place), "out": str(out)}
    work |= {"checkpoints": [str(path) for path in checkpoints], "options": options}
    count = gpus()
    if count > 1:
        try:
            return _predict_in_processes(count, work)
        except (Exception, SystemExit) as error:
            print(f"warning: {count} processes failed ({error!r}); one goes on alone", flush=True)
    return _predict(work)


def gpus() -> int:
    """Return how many processes are to predict; KIT_GPUS names another number."""
    import torch

    return int(os.environ.get("KIT_GPUS") or torch.cuda.device_count()) or 1


def reach_code() -> None:
    """Let processes that are started from here on find what this one finds."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))


def _predict_in_processes(count: int, work: dict[str, Any]) -> Told:
    reach_code()
    print(f"predicting in {count} processes", flush=True)
    with TemporaryDirectory() as folder:
        order = Path(folder) / "work.json"
        order.write_text(json.dumps(work))
        run_in_processes(count, ["-m", "common.kaggle.every_gpu", str(order)])
        written, facts = json.loads((Path(folder) / FACTS).read_text())
    return written, facts


def _predict(work: dict[str, Any]) -> Told:
    from common.config import PredictConfig
    from common.inference.outcome import last_outcome

    story = import_module(f"competitions.{work['competition']}.predict")
    options = PredictConfig.model_validate(work["options"])
    checkpoints = [Path(path) for path in work["checkpoints"]]
    written = story.predict(checkpoints, Path(work["place"]), Path(work["out"]), options)
    done = last_outcome()
    facts = {"images": done.images, "given_up": done.given_up, "broken": done.broken_ids}
    return str(written), facts


def main(order: Path) -> None:
    """Be one of the processes; the first one leaves what it tells beside the order."""
    from common import distributed

    with distributed.joined():
        told = _predict(json.loads(order.read_text()))
        if distributed.is_first():
            order.with_name(FACTS).write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
