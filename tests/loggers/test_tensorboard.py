import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from common.figures.grid import figure_to_image
from common.loggers.tensorboard import TensorBoardLogger

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
