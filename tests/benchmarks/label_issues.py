"""Quality of the list of label issues: 8 % of labels are made wrong, and who finds them?

Every fold is trained through the kit with the look on; the list is that of `kit oof`. Reported are
recall at k, k being the number of wrong labels, and average precision, against ranking by the loss
of the last epoch, by self-confidence and by normalised margin of the out-of-fold predictions. For
masks, of which the kit keeps counts alone, these two are the wrong pixels and 1 - IoU of a picture.
A box has the loss of its picture.

`python tests/benchmarks/label_issues.py --classes DIR --boxes DIR --masks DIR`, folders in the
layout train.csv, train/ and, for masks, train_masks/; without any, drawn pictures.
"""

import argparse
import os
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import numpy as np
import torch
from planted import boxes, classes, masks
from planted.task import average_precision, recall_at_k, train_all

TASKS = {"classes": classes, "boxes": boxes, "masks": masks}
QUICK = {"classes": (32, 6), "boxes": (96, 10), "masks": (96, 8)}  # pixels, epochs
WHOLE = {"classes": (64, 14), "boxes": (160, 12), "masks": (256, 8)}


def bench(name: str, data: Path | None, work: Path, seed: int, options) -> dict[str, list[float]]:
    """Return recall at k and average precision of each way of ranking."""
    task, start = TASKS[name], time.process_time()
    planted = task.plant(data, work, seed, options)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        found = train_all(planted, work)
    count = len(planted.wrong)
    scores = {
        way: [recall_at_k(hits, count), average_precision(hits, count)]
        for way, hits in task.rankings(planted, *found).items()
    }
    seconds = time.process_time() - start
    listed = "  ".join(f"{way} {r:.3f}/{p:.3f}" for way, (r, p) in scores.items())
    print(f"{name} seed {seed}: {count} wrong, {seconds:.0f} CPU s: {listed}", flush=True)
    return scores


def main(given: argparse.Namespace) -> None:
    """Print every seed, and the means."""
    folders = {name: getattr(given, name) for name in TASKS}
    drawn = not any(folders.values())
    for name in TASKS:
        if not (drawn or folders[name]):
            continue
        size, epochs = (QUICK if drawn else WHOLE)[name]
        options = argparse.Namespace(
            size=given.size or size, epochs=given.epochs or epochs, folds=given.folds
        )
        rows = []
        for seed in given.seed or range(1 if drawn else 3):
            with TemporaryDirectory() as place:
                work = Path(place) if given.keep is None else given.keep / f"{name}{seed}"
                work.mkdir(parents=True, exist_ok=True)
                rows.append(bench(name, folders[name], work, seed, options))
        print(f"{name}, mean of {len(rows)}:   recall at k   average precision")
        for way in rows[0]:
            recall, precision = np.mean([row[way] for row in rows], 0)
            print(f"  {way:24} {recall:8.3f}        {precision:8.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in TASKS:
        parser.add_argument(f"--{name}", type=Path, help="folder of the data")
    parser.add_argument("--seed", type=int, action="append", help="may be given several times")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--size", type=int, help="pixels")
    parser.add_argument("--keep", type=Path, help="folder in which everything is left")
    torch.set_num_threads(1)
    main(parser.parse_args())
