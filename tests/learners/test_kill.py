"""kill -9 at any moment, then --resume: the bits and curves of a run that was left alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from common.checkpoints import load_checkpoint
from common.loggers.run_files import LOOKS, METRICS, read_lines, read_metrics
from common.runs import Run, hash_weights

HELPER = Path(__file__).with_name("kill_helper.py")
# The number of kills per setting; KIT_KILLS=20 is what the README states.
KILLS = int(os.environ.get("KIT_KILLS", "5"))


@pytest.mark.timeout(900)  # seconds; a busy machine takes long for little work
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_runs_end_in_the_bits_and_curves_of_one_left_alone(tmp_path, colours, workers):
    frame, root = tmp_path / "frame.csv", tmp_path / "colours" / "kill"
    colours.to_csv(frame, index=False)
    words = [sys.executable, HELPER, frame, root, workers, KILLS, workers]
    with (tmp_path / "out.txt").open("w+") as out:  # no pipe: orphaned workers would keep it open
        done = subprocess.run([*map(str, words)], stdout=out, stderr=subprocess.STDOUT)
        out.seek(0)
        printed = out.read()
    assert done.returncode == 0, printed[-3000:]
    told = json.loads(printed.splitlines()[-1])
    assert len(told["kills"]) == KILLS
    alone = facts(Run(root / "fold0"))
    for number in range(1, told["runs"] + 1):
        run = Run(root / f"fold{number}")
        assert run.status == "finished"
        killed = facts(run)
        for name in alone:
            assert killed[name] == alone[name], f"{run.folder}: {name}"
        assert not list(run.checkpoints.glob(".*"))


def facts(run: Run) -> dict:
    """Return everything about a run that has to be the same whatever happened to it."""
    content = load_checkpoint(run.last)
    training, summary = content["training"], run.summary
    best = {path.name: load_checkpoint(path) for path in run.checkpoints.glob("best_*.pt")}
    return {
        "weights": summary["weights_sha256"],
        "raw weights": hash_weights(training["weights"]),
        "averaged weights": hash_weights(content["weights"]),
        "moments": hash_weights(moments(training["optimiser"])),
        "scores": (summary["metrics"], summary["best_epoch"]),
        "counters": [training[key] for key in ("epoch", "batch", "train_iter", "pct_train")],
        "random": training["random"]["torch"].tolist(),
        "best": {name: (c["epoch"], hash_weights(c["weights"])) for name, c in best.items()},
        "history": training["callbacks"]["Record"]["history"],
        "curves": [
            {name: value for name, value in row.items() if name != "time"}
            for row in read_metrics(run.folder)
        ],
        "lines": len([row for row in read_lines(run.folder / METRICS) if "event" not in row]),
        "looks": len(read_lines(run.folder / LOOKS)),
        "out of fold": pd.read_parquet(run.oof_file).drop(columns="fold").to_json(),
    }


def moments(optimiser: dict) -> dict:
    return {f"{k}/{n}": v for k, state in optimiser["state"].items() for n, v in state.items()}
