"""`kit oof --parts`: what it says is what scoring the submission's masks by hand gives."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common.checkpoints import save_checkpoint
from common.competition import Competition
from common.config import PredictConfig, parse_overrides
from common.data.rle import decode
from common.inference.decisions import DECISIONS
from common.inference.instances import instances
from common.inference.segmentation import predict_masks
from common.keys import FOLD, GROUP, IMAGE_ID, LOSS
from common.learners.segmentation import picture_code
from common.metrics.instances import instance_precision
from common.metrics.overlap import pooled
from common.metrics.pixels import THRESHOLDS, counts, threshold_counts
from common.models.segmenter import make_segmenter
from common.oof import COUNTS, IMAGE_CODE
from common.runs import Run, write_json

from .things import TINY, add_codes, mask

TRUE = mask()


@pytest.fixture
def runs(kit, things, tmp_path) -> Path:
    """Two folds of networks with random weights, as if they had been trained and validated."""
    add_codes(things)
    assert kit("new", "things", "--task", "segmentation")[0] == 0
    small = {"model.decoder_arguments": {"decoder_channels": [16, 12, 8, 8, 8]}}
    config = Competition.find("things").experiment("baseline")
    config = config.model_copy(update={**parse_overrides(TINY), **small})
    for fold, names in enumerate(("ace", "bdf")):
        write_fold(tmp_path / "runs" / "things" / "baseline" / f"fold{fold}", config, names)
    folds = pd.DataFrame({IMAGE_ID: [*"abcdef"], FOLD: [0, 1] * 3})
    folds.to_csv(tmp_path / "runs" / "things" / "folds.csv", index=False)
    return tmp_path / "runs" / "things" / "baseline"


def write_fold(folder: Path, config, names: str, seed: int = 0) -> None:
    run = Run(folder)
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    write_json(run.config_file, config.model_dump(mode="json"))
    torch.manual_seed(run.fold + seed)
    content = {
        "config": config.model_dump(mode="json"),
        "weights": make_segmenter(config).state_dict(),
        "thresholds": {"mask": 0.5},
        "scores": {"valid/iou": 0.1 + seed},
        "epoch": 1,
    }
    save_checkpoint(run.best(), content)
    counted = threshold_counts(np.where(TRUE, 0.9, 0.2), TRUE, THRESHOLDS).reshape(-1)
    rows = {IMAGE_ID: [f"{name}@0,0" for name in names], GROUP: 0, LOSS: 0.1, FOLD: run.fold}
    codes = [picture_code(name) for name in names]
    frame = pd.DataFrame({**rows, IMAGE_CODE: codes, COUNTS: [counted] * 3})
    frame.to_parquet(run.oof_file, index=False)


def truth_of(name: str) -> np.ndarray:
    """The label map of a picture: a has a second object, f none."""
    labels = np.zeros(TRUE.shape, int) if name == "f" else TRUE.astype(int)
    if name == "a":
        labels[decode("2900 8 2950 2", TRUE.shape) > 0] = 2
    return labels


def test_scores_decisions_and_what_is_predicted_with_them(kit, things, runs):
    code, text = kit("oof", "things", "--parts", "predict.masks.min_distance=2")
    assert code == 0, text
    probs: dict[str, np.ndarray] = {}
    for fold, names in enumerate(("ace", "bdf")):
        paths = [str(things / "train" / f"{name}.png") for name in names]
        frame = pd.DataFrame({IMAGE_ID: [*names], "path": paths})
        probs |= dict(predict_masks([Run(runs / f"fold{fold}").best()], frame, PredictConfig()))
    truths = [truth_of(name) for name in probs]
    for method in ("components", "watershed"):
        found = [instances(p, method=method, min_distance=2) for p in probs.values()]
        expected = instance_precision(truths, found)
        said = re.search(rf"least area of {method} .* (\S+) untuned", text)
        assert float(said[1]) == pytest.approx(expected, abs=1e-4)
    assert "against the objects of data.py" in text
    pairs = zip(probs.values(), truths, strict=True)
    at = np.concatenate([counts((p >= 0.5)[None], (t > 0)[None]) for p, t in pairs])
    usual = re.search(r"iou of 6 pictures predicted whole:\n  threshold .* (\S+) untuned", text)
    assert float(usual[1]) == pytest.approx(pooled(at), abs=1e-4)

    kept = json.loads((runs / DECISIONS).read_text())
    assert set(kept["predict"]) == {"pixels", "components", "watershed", "whole"}
    rules = {**kept["instance_ap"], **kept["iou of whole pictures"]}
    assert all(one["naive"] >= one["nested"] - 1e-9 for one in rules.values())
    code, text = kit("predict", "things", "--run", "baseline")
    assert code == 0, text
    chosen = kept["predict"]["components"]
    least = chosen["min_area"]
    area = f"parts of {least} pixels or more" if least > 1 else "all parts"
    assert f"masks: threshold {chosen['threshold']:.4g}, {area}, objects by components" in text

    assert kit("oof", "things")[0] == 0  # without --parts: what is known of whole pictures stays
    assert json.loads((runs / DECISIONS).read_text())["predict"] == kept["predict"]
    config = Run(runs / "fold0").config
    write_fold(runs / "fold0", config, "ace", seed=5)
    with pytest.warns(UserWarning, match="of other models"):
        text = kit("predict", "things", "--run", "things/baseline/fold0")[1]
    assert "threshold 0.5, all parts" in text
    assert kit("oof", "things")[0] == 0
    assert "whole" not in json.loads((runs / DECISIONS).read_text())["predict"]


def test_mistakes_are_told(kit, runs):
    for words, telling in (
        (("predict.tta=flip",), "expected --parts (of masks) with 'predict.tta=flip'"),
        (("--parts", "train.lr=1"), "expected overrides of predict.*"),
        (("--parts", "predict.masks.min_area=-1"), "'predict.masks.min_area': expected greater"),
    ):
        code, text = kit("oof", "things", *words)
        assert code == 2, text
        assert telling in text
        assert "Traceback" not in text
