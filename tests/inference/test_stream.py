"""Streamed predictions: the file holds what memory would have held, and memory stays flat."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from common.config import PredictConfig
from common.data.tolerant import Batch, Broken
from common.inference import each_model
from common.inference.budget import Budget
from common.inference.classification import predict_classes
from common.inference.outcome import Outcome
from common.inference.predict import predict
from common.inference.spool import Spool
from common.inference.stream import read_groups
from common.inference.stream_classes import _means, stream_classes
from common.inference.sums import Mean
from common.inference.views import passes_of
from common.keys import IMAGE, IMAGE_ID, INDEX, LOGITS, PATH

from ..memory import MB, resident


class Said(torch.nn.Module):
    """Says what a table holds of each image; notes how much memory there is."""

    def __init__(self, num_classes: int, scale: float) -> None:
        super().__init__()
        self.row, self.seen = torch.linspace(-scale, scale, num_classes), list[int]()

    def forward(self, batch: dict) -> dict:
        self.seen.append(resident())
        return {LOGITS: (batch[IMAGE][:, 0, 0, :1] % 7).float() * self.row}


def frame_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame({IMAGE_ID: [f"{row:07d}" for row in range(rows)], PATH: "any"})


def batches(rows: int, size: int, broken: int = 0):
    """Yield batches as the loader does, each in two parts as images of two sizes give them."""
    for start in range(0, rows, size):
        index = torch.arange(start, min(start + size, rows))
        torn = index % broken == 1 if broken else torch.zeros_like(index, dtype=torch.bool)
        whole = index[~torn]
        parts = [part for part in (whole[whole % 3 == 0], whole[whole % 3 > 0]) if len(part)]
        images = [part[:, None, None, None].expand(-1, 1, 1, 1) for part in parts]
        yield Batch(
            [{IMAGE: i.float(), INDEX: p} for i, p in zip(images, parts, strict=True)],
            [Broken(int(row), "torn") for row in index[torn]],
        )


@pytest.fixture
def world(config, monkeypatch):
    """Return a function that lets so many rows and classes be predicted by so many models."""

    def make(rows: int, num_classes: int, models: int, size: int, broken: int = 0):
        names = tuple(f"c{number}" for number in range(num_classes))
        changed = config.model_copy(update={"classes": names, "train.batch_size": size})
        made = [Said(num_classes, scale) for scale in range(1, models + 1)]
        paths = [Path(str(number)) for number in range(models)]
        monkeypatch.setattr(
            each_model, "load_model", lambda path, *_: (made[int(path.name)], changed)
        )
        monkeypatch.setattr(each_model, "predict_loader", lambda *_: batches(rows, size, broken))
        return paths, frame_of(rows), made

    return make


def test_the_file_holds_what_memory_would_have_held(world, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("common.inference.stream.ROWS", 50)
    paths, frame, _ = world(rows=333, num_classes=3, models=3, size=32, broken=9)
    options = PredictConfig(weights=(2, 1, 1))
    with pytest.warns(UserWarning, match="fallback"):
        expected = predict_classes(paths, frame, options)
    with pytest.warns(UserWarning, match="fallback"):
        out = stream_classes(paths, frame, tmp_path / "new" / "probs.parquet", options)
    found = list(read_groups(out))
    assert [len(part) for part in found] == [50] * 6 + [33]
    whole = pd.concat(found, ignore_index=True)
    assert whole.columns.tolist() == expected.columns.tolist()
    assert whole[IMAGE_ID].tolist() == expected[IMAGE_ID].tolist()
    torn = np.arange(333) % 9 == 1
    values, wanted = (table.iloc[:, 1:].to_numpy() for table in (whole, expected))
    np.testing.assert_array_equal(values[~torn], wanted[~torn])
    np.testing.assert_allclose(values[torn], wanted[torn], rtol=1e-5)
    assert [path.name for path in out.parent.iterdir()] == ["probs.parquet"]


def test_memory_stays_flat_at_200_000_images(world, tmp_path) -> None:
    """The result alone would be 114 MB, and as much for each of two models on the way."""
    paths, frame, made = world(rows=200_000, num_classes=150, models=2, size=2000)
    stream_classes(paths, frame.iloc[:4000], tmp_path / "first.parquet", PredictConfig())
    seen = made[0].seen = made[1].seen = []
    before = resident()
    out = stream_classes(paths, frame, tmp_path / "probs.parquet", PredictConfig())
    assert pq.ParquetFile(out).metadata.num_rows == 200_000
    assert len(seen) == 2 * 2 * 100
    assert max(seen) - before < 80 * MB  # ids, and twice a row group
    assert max(seen) - seen[40] < 40 * MB  # what comes later adds nothing


def test_what_a_model_lacks_is_the_mean_of_the_others_and_a_nan_is_seen() -> None:
    values, sums = np.arange(8, dtype=np.float32).reshape(4, 2), Mean(np.array([0.5, 0.5]))
    spool = Spool(count=4, size=3)
    for number, rows in enumerate((np.array([3, 0, 1, 2]), np.array([2, 0]))):
        spool.put(number, rows, (number + 1) * values[rows])
    found = np.concatenate([mean for _, mean, _ in _means(spool, sums, 2)])
    np.testing.assert_allclose(found, values * np.array([1.5, 1, 1.5, 1], np.float32)[:, None])
    spool = Spool(count=4, size=3)
    spool.put(0, np.array([1]), np.full((1, 2), np.nan, np.float32))
    parts = list(_means(spool, sums, 2))
    assert [there.tolist() for _, _, there in parts] == [[False, True, False], [False]]
    assert np.isnan(parts[0][1][1]).all()


def test_a_spool_gives_back_what_came_in_any_order_by_groups_and_models() -> None:
    spool, rng = Spool(count=10, size=4), np.random.default_rng(0)
    for model in range(2):
        for rows in np.array_split(rng.permutation(10), 3):
            spool.put(model, rows, [f"{model} of {row}" for row in rows])
    for rows, entries in spool.groups():
        said = [
            (model, rows.start + row, text)
            for model, own, texts in entries
            for row, text in zip(own.tolist(), texts, strict=True)
        ]
        wanted = [(model, row) for model in range(2) for row in range(rows.start, rows.stop)]
        assert sorted((model, row) for model, row, _ in said) == wanted
        assert all(text == f"{model} of {row}" for model, row, text in said)


def test_views_share_one_reading_and_no_gradient_is_kept(config) -> None:
    read, seen = [], []

    def loader():
        for batch in batches(30, 10):
            read.append(batch.rows)
            yield batch

    class Watched(torch.nn.Module):
        def forward(self, batch: dict) -> dict:
            seen.append((len(batch[IMAGE]), torch.is_inference_mode_enabled()))
            return {LOGITS: batch[IMAGE].flatten(1)}

    options, outcome = PredictConfig(tta="d4"), Outcome()
    budget = Budget(options, 30, 1, 8, outcome)
    budget.start_model(0)
    decode = lambda outputs: outputs[LOGITS]  # noqa: E731
    found = predict(Watched(), loader(), decode, frame_of(30), passes_of(options), budget, outcome)
    assert sum(len(values) for _, values in found) == sum(read) == 30
    assert len(seen) == 3 * 2 * 8  # a whole part of a batch for each view
    assert all(mode for _, mode in seen)
