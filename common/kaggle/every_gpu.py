"""Predicts with every GPU that a kernel's machine has, a process for each: Kaggle's has two T4."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from common.kaggle.processes import do_ordered, gpus, work_in_processes

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
            print(f"predicting in {count} processes", flush=True)
            written, facts = work_in_processes(count, "common.kaggle.every_gpu", work)
            return written, facts
        except (Exception, SystemExit) as error:
            print(f"warning: {count} processes failed ({error!r}); one goes on alone", flush=True)
    return _predict(work)


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


if __name__ == "__main__":
    do_ordered(_predict)
