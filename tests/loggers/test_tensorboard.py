import io
import time

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import precision_score, recall_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from common.figures.encode import figure_to_image
from common.loggers.tensorboard import TensorBoardLogger
from common.metrics.curves import counts_at, ranking_curve

AT = {"global_step": 5, "epoch": 1.0}


@pytest.fixture
def logger(tmp_path):
    logger = TensorBoardLogger(tmp_path)
    yield logger
    logger.finish()


def read(run_dir):
    sizes = dict.fromkeys(["scalars", "images", "histograms", "tensors"], 0)
    events = EventAccumulator(str(run_dir / "tensorboard"), size_guidance=sizes)
    events.Reload()
    return events


def points(events, tag):
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_scalars_stand_on_the_global_step(logger, tmp_path):
    for step in (1, 2, 40):
        given = {"train/loss": step / 2, "valid/f1": float("nan")}
        logger.scalars(given, global_step=step, epoch=step / 40)
    logger.finish()
    events = read(tmp_path)
    assert points(events, "train/loss") == [(1, 0.5), (2, 1.0), (40, 20.0)]
    assert points(events, "epoch")[-1] == (40, 1.0)
    assert all(np.isnan(value) for _, value in points(events, "valid/f1"))


def test_a_resumed_run_shows_no_point_twice(tmp_path):
    first = TensorBoardLogger(tmp_path)
    for step in range(1, 6):
        first.scalars({"loss": step}, global_step=step, epoch=1)
        if step == 3:
            saved = first.state()
    first.finish()
    time.sleep(1 - time.time() % 1)  # files of one process and second are sorted by their count
    second = TensorBoardLogger(tmp_path, saved)
    second.scalars({"loss": 40}, global_step=4, epoch=1)
    second.finish()
    assert points(read(tmp_path), "loss") == [(1, 1), (2, 2), (3, 3), (4, 40)]


def test_pictures_are_jpeg_and_come_back(logger, tmp_path, picture, chart):
    logger.image("valid/worst", picture, caption="the worst", **AT)
    logger.figure("valid/chart", chart, **AT)
    logger.curve("valid/roc", np.arange(3), np.arange(3), axes=("x", "y"), **AT)
    logger.finish()
    events = read(tmp_path)
    (image,) = events.Images("valid/worst")
    assert image.encoded_image_string[:2] == b"\xff\xd8"
    assert (image.step, image.width, image.height) == (5, 64, 48)
    decoded = np.asarray(Image.open(io.BytesIO(image.encoded_image_string))).astype(int)
    assert np.abs(decoded - picture).mean() < 6
    drawn = events.Images("valid/chart")[0]
    assert (drawn.height, drawn.width, 3) == figure_to_image(chart).shape
    assert len(events.Images("valid/roc")) == 1


def test_a_precision_recall_line_with_counts_is_a_curve_of_its_own_panel(logger, tmp_path):
    random = np.random.default_rng(0)
    truth = random.random(300) < 0.4
    scores = (random.random(300) + truth) / 2
    levels = np.linspace(0, 1, 101)
    counts = counts_at([ranking_curve(truth, scores)])
    x, y = levels, np.ones(101)
    axes = ("recall", "precision")
    logger.curve("valid/precision_recall", x, y, axes=axes, counts=counts, **AT)
    logger.finish()
    events = read(tmp_path)
    assert events.SummaryMetadata("valid/precision_recall").plugin_data.plugin_name == "pr_curves"
    (event,) = events.Tensors("valid/precision_recall")
    hits, alarms, rest, misses, precision, recall = tensor_util.make_ndarray(event.tensor_proto)
    assert event.step == 5
    for place in (0, 30, 50, 77, 100):
        said = scores.astype(np.float32) >= np.float32(levels[place])
        assert hits[place] == (said & truth).sum()
        assert alarms[place] == (said & ~truth).sum()
        assert misses[place] == (~said & truth).sum()
        assert rest[place] == (~said & ~truth).sum()
        assert recall[place] == pytest.approx(recall_score(truth, said))
        assert precision[place] == pytest.approx(precision_score(truth, said, zero_division=0))


def test_histogram_keeps_counts_and_edges(logger, tmp_path):
    values = np.random.default_rng(0).normal(size=500)
    counts, edges = np.histogram(values, 20)
    logger.histogram("weights", counts, edges, **AT)
    logger.finish()
    kept = read(tmp_path).Histograms("weights")[0].histogram_value
    assert kept.bucket == counts.tolist()
    assert np.allclose(kept.bucket_limit, edges[1:])
    assert kept.num == 500
    assert kept.sum / 500 == pytest.approx(values.mean(), abs=0.1)


def test_table_is_a_text_and_a_grid_of_its_pictures(logger, tmp_path, picture):
    rows = [{"id": "a|b", "image": picture, "loss": 1.23456}, {"id": "c", "image": picture}]
    logger.table("valid/predictions", rows, **AT)
    logger.finish()
    events = read(tmp_path)
    assert events.Images("valid/predictions/image")[0].width > 2 * 64
    event = events.Tensors("valid/predictions/text_summary")[0]
    text = tensor_util.make_ndarray(event.tensor_proto)[0].decode()
    assert text.splitlines() == ["| id | loss |", "| --- | --- |", "| a\\|b | 1.235 |", "| c |  |"]


def test_hyperparameters_lie_in_the_same_folder_with_the_final_metrics(logger, tmp_path):
    logger.scalars({"valid/f1": 0.25}, **AT)
    config = {"train": {"lr": 0.1, "amp": None}, "names": ["a"], "seed": 3, "ema": True}
    logger.hyperparameters(config, {"valid/f1": 0.5})
    logger.finish()
    events = read(tmp_path)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    kept = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    numbers = {key: value.number_value for key, value in kept.items() if value.number_value}
    assert numbers == {"train.lr": 0.1, "seed": 3.0, "ema": 1.0}
    assert kept["train.amp"].string_value == "None"
    assert kept["names"].string_value == "['a']"
    assert points(events, "final/valid/f1") == [(5, 0.5)]
    assert points(events, "valid/f1") == [(5, 0.25)]
    assert not [path for path in (tmp_path / "tensorboard").iterdir() if path.is_dir()]


def test_runs_are_compared_by_what_differs_and_what_came_out(tmp_path):
    for lr, f1 in ((0.1, 0.5), (0.01, 0.75)):
        logger = TensorBoardLogger(tmp_path / f"lr{lr}")
        logger.scalars({"valid/f1": f1}, **AT)
        logger.hyperparameters({"train": {"lr": lr}, "seed": 3}, {"valid/f1": f1})
        logger.finish()
    table = {}
    for lr in (0.1, 0.01):
        events = read(tmp_path / f"lr{lr}")
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        given = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        table[given["train.lr"].number_value] = points(events, "final/valid/f1")[0][1]
        assert given["seed"].number_value == 3
        # The experiment names the metric that the table of runs shows.
        content = events.SummaryMetadata("_hparams_/experiment").plugin_data.content
        named = plugin_data_pb2.HParamsPluginData.FromString(content).experiment.metric_infos
        assert [info.name.tag for info in named] == ["final/valid/f1"]
    assert table == {0.1: 0.5, 0.01: 0.75}
