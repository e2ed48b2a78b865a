"""Out-of-fold tables: what is written is read back, through a file, exactly."""

import numpy as np
import pandas as pd
import pytest

from common.config import Config
from common.evaluation import Evaluation
from common.keys import BOXES, IMAGE_ID, INDEX, LABELS, LOSS, PREDICTION, SCORES, TARGET
from common.oof import read_oof, write_oof

N = 5


def evaluation(target, prediction) -> Evaluation:
    ids = [f"id{row}" for row in range(N)]
    columns = {INDEX: np.arange(N), IMAGE_ID: ids, LOSS: np.linspace(0, 1, N)}
    return Evaluation({**columns, TARGET: target, PREDICTION: prediction})


def config(task: str, *classes: str, multilabel: bool = False) -> Config:
    values = {"competition": "x", "metric": "m", "multilabel": multilabel}
    return Config(task=task, classes=classes, **values)


def through_a_file(said: Evaluation, settings: Config, folder):
    frame = write_oof(said, settings)
    assert frame[IMAGE_ID].tolist() == said[IMAGE_ID]
    frame.to_parquet(folder / "oof.parquet", index=False)
    return read_oof(pd.read_parquet(folder / "oof.parquet"), settings)


def draw(*shape: int, high: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape)


@pytest.mark.parametrize(
    ("settings", "target", "prediction"),
    [
        (config("classification", "a", "b"), draw(N, high=2), draw(N, 2) / 100),
        (
            config("classification", "a", "b", multilabel=True),
            draw(N, 2, high=2).astype(np.float32),
            draw(N, 2) / 100,
        ),
        (config("segmentation", "a"), draw(N, 2), draw(N, 31, 4)),
        (config("segmentation", "a", "b", "c"), draw(N, 2), draw(N, 3, 3)),
    ],
)
def test_arrays_come_back(settings, target, prediction, tmp_path) -> None:
    back = through_a_file(evaluation(target, prediction), settings, tmp_path)
    np.testing.assert_array_equal(back[0], target)
    np.testing.assert_array_equal(back[1], prediction)


def test_boxes_come_back_with_images_that_have_none(tmp_path) -> None:
    counts = (3, 0, 1, 2, 0)
    random = np.random.default_rng(1)

    def boxes(count: int) -> dict[str, np.ndarray]:
        return {
            BOXES: random.uniform(size=(count, 4)).astype(np.float32),
            LABELS: random.integers(0, 3, count),
            SCORES: random.uniform(size=count).astype(np.float32),
        }

    truth = [{key: boxes(count)[key] for key in (BOXES, LABELS)} for count in counts]
    found = [boxes(count) for count in reversed(counts)]
    settings = config("detection", "a", "b", "c")
    target, prediction = through_a_file(evaluation(truth, found), settings, tmp_path)
    for given, back in zip([*truth, *found], [*target, *prediction], strict=True):
        assert given.keys() == back.keys()
        for key in given:
            np.testing.assert_array_equal(back[key], given[key])
            assert back[key].shape == given[key].shape
