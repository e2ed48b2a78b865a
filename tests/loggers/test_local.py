import io
import json
import math

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from common.loggers.local import LocalLogger
from common.loggers.run_files import read_lines, read_metrics

AT = {"global_step": 7, "epoch": 2.0}


@pytest.fixture
def logger(tmp_path):
    logger = LocalLogger(tmp_path / "run")
    yield logger
    logger.finish()


def test_scalars_come_back_with_their_place_in_time(logger):
    given = {"valid/loss": math.nan, "valid/f1": 0.1 + 0.2, "train/norm": -math.inf}
    logger.scalars(given, **AT)
    (row,) = read_metrics(logger.run_dir)
    assert math.isnan(row.pop("valid/loss"))
    assert row.pop("time") > 1.7e9
    assert row == {"valid/f1": 0.1 + 0.2, "train/norm": -math.inf, **AT}


def test_a_resumed_run_takes_the_place_of_what_lay_beyond_its_checkpoint(tmp_path):
    first = LocalLogger(tmp_path)
    for step in range(1, 6):
        first.scalars({"train/loss": step}, global_step=step, epoch=step / 10)
        if step == 3:
            saved = first.state()
    first.finish()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"global_step": 6, "train/lo')
    second = LocalLogger(tmp_path, saved)
    saved["lines"]["metrics.jsonl"] += 1  # which says that the run was resumed
    assert second.state() == saved
    for step in range(4, 7):
        second.scalars({"train/loss": 10 * step}, global_step=step, epoch=step / 10)
    second.finish()
    assert [row["train/loss"] for row in read_metrics(tmp_path)] == [1, 2, 3, 40, 50, 60]
    # What is logged anew stands there once, and every line is JSON.
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 3 + 1 + 3


def test_pictures_and_figures_are_files_named_by_epoch(logger, picture, chart):
    logger.image("valid/worst", picture, caption="the worst", **AT)
    logger.figure("valid/chart", chart, global_step=8, epoch=2.5)
    figures = logger.run_dir / "figures"
    image = np.asarray(Image.open(figures / "valid_worst_epoch2.jpg")).astype(int)
    assert np.abs(image - picture).mean() < 6
    assert Image.open(figures / "valid_chart_epoch2.5.png").size == (200, 150)
    looks = read_lines(logger.run_dir / "looks.jsonl")
    assert [look["file"] for look in looks] == [
        "figures/valid_worst_epoch2.jpg",
        "figures/valid_chart_epoch2.5.png",
    ]
    assert looks[0]["caption"] == "the worst"


def test_table_comes_back_with_pictures_as_jpeg(logger, picture):
    rows = [
        {"id": "a", "image": picture, "prob": np.float32(0.5), "right": True, "n": 1, "mix": 1},
        {"id": "b", "image": None, "prob": 1, "right": None, "n": None, "mix": "x", "late": "y"},
    ]
    logger.table("valid/predictions", rows, **AT)
    path = logger.run_dir / "figures" / "valid_predictions_epoch2.parquet"
    first, second = pyarrow.parquet.read_table(path).to_pylist()
    assert Image.open(io.BytesIO(first.pop("image"))).size == (64, 48)
    assert first == {"id": "a", "prob": 0.5, "right": True, "n": 1, "mix": "1", "late": None}
    assert second == {
        "id": "b", "image": None, "prob": 1.0, "right": None, "n": None, "mix": "x", "late": "y",
    }  # fmt: skip


def test_curves_are_thinned_and_histograms_kept(logger):
    x = np.linspace(0, 1, 5000)
    logger.curve("valid/roc", x, x**2, axes=("fpr", "tpr"), **AT)
    counts, edges = np.histogram(x, 11)
    logger.histogram("valid/loss", counts, edges, **AT)
    curve, histogram = read_lines(logger.run_dir / "looks.jsonl")
    assert (curve["kind"], curve["axes"]) == ("curve", ["fpr", "tpr"])
    assert len(curve["x"]) == len(curve["y"]) == 1000
    assert np.allclose(np.square(curve["x"]), curve["y"])
    assert histogram["counts"] == counts.tolist()
    assert histogram["edges"] == edges.tolist()


def test_hyperparameters_and_foreign_files_are_kept(logger, tmp_path):
    logger.hyperparameters({"train": {"lr": 0.1}, "path": tmp_path}, {"valid/f1": math.nan})
    kept = json.loads((logger.run_dir / "hyperparameters.json").read_text())
    assert kept["config"] == {"train": {"lr": 0.1}, "path": str(tmp_path)}
    assert kept["metrics"] == {"valid/f1": "NaN"}
    (tmp_path / "oof.csv").write_text("x")
    logger.artifact("oof", tmp_path / "oof.csv", "predictions")
    assert (logger.run_dir / "artifacts" / "oof.csv").read_text() == "x"
    (logger.run_dir / "inside").write_text("y")
    logger.artifact("inside", logger.run_dir / "inside", "predictions")
    assert not (logger.run_dir / "artifacts" / "inside").exists()
