"""Boxes and mask rows of 200,000 images go to a submission, and memory stays flat."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common.config import PredictConfig
from common.data.tolerant import Batch
from common.inference import detection
from common.inference.detection import predict_boxes, stream_boxes
from common.keys import BOXES, IMAGE, IMAGE_ID, INDEX, LABELS, PATH, SCORES, SIZE
from common.submission.parts import in_parts
from common.submission.validator import SubmissionRules
from common.submission.writer import write_submission

from ..memory import MB, resident

COUNT, BOXES_EACH, SIZE_OF_BATCH = 200_000, 20, 2000


def frame_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame({IMAGE_ID: [f"{row:07d}" for row in range(rows)], PATH: "any"})


def batches(rows: int):
    for start in range(0, rows, SIZE_OF_BATCH):
        index = torch.arange(start, min(start + SIZE_OF_BATCH, rows))
        size = torch.full((len(index), 2), 9)
        yield Batch([{IMAGE: torch.zeros(len(index), 3, 1, 1), INDEX: index, SIZE: size}], [])


def boxes_of(rows: np.ndarray) -> list[list[dict[str, np.ndarray]]]:
    """Return of each image boxes that its number tells, as one pass gives them."""
    boxes = rows[:, None, None] + np.arange(4.0 * BOXES_EACH).reshape(1, -1, 4)
    labels = np.zeros((len(rows), BOXES_EACH), np.int64)
    scores = np.broadcast_to(np.linspace(1, 0.1, BOXES_EACH), labels.shape)
    columns = zip(boxes, labels, scores, strict=True)
    return [[dict(zip((BOXES, LABELS, SCORES), one, strict=True))] for one in columns]


@pytest.fixture
def finder(config, monkeypatch) -> None:
    """A detector of no cost."""

    def detect(batch, granted):
        return boxes_of(batch[INDEX].numpy())

    monkeypatch.setattr(detection, "load_model", lambda *_: (torch.nn.Identity(), config))
    monkeypatch.setattr(detection, "_detector", lambda *_: detect)
    monkeypatch.setattr(detection, "predict_box_loader", lambda frame, *_: batches(len(frame)))


def test_boxes_of_200_000_images_are_never_in_memory_together(finder, tmp_path) -> None:
    """Their numbers alone are 192 MB, and twice as much with all that Python adds."""
    seen = []

    def to_submission(part: pd.DataFrame) -> pd.DataFrame:
        seen.append(resident())
        first = [f"{boxes[0, 0]:.0f}" for boxes in part[BOXES]]
        return pd.DataFrame({IMAGE_ID: part[IMAGE_ID], "box": first})

    frame, options = frame_of(COUNT), PredictConfig()
    some = stream_boxes([Path("a")], frame.iloc[:4000], options)
    write_submission(map(to_submission, some), tmp_path / "first.csv")
    before = resident()
    parts = map(to_submission, stream_boxes([Path("a")], frame, options))
    out = write_submission(parts, tmp_path / "boxes.csv")
    assert max(seen) - before < 80 * MB
    table = pd.read_csv(out, dtype={IMAGE_ID: str})
    assert table[IMAGE_ID].tolist() == frame[IMAGE_ID].tolist()
    assert table["box"].tolist() == list(range(COUNT))


def test_groups_are_the_whole_to_the_byte(finder, monkeypatch) -> None:
    frame, options = frame_of(333), PredictConfig(confidence=0.5)
    whole = predict_boxes([Path("a")], frame, options)
    monkeypatch.setattr(detection, "ROWS", 50)
    parts = list(stream_boxes([Path("a")], frame, options))
    assert [len(part) for part in parts] == [50] * 6 + [33]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole)
    (found,) = boxes_of(np.array([332]))[0]
    sure = found[SCORES] >= 0.5
    assert 0 < sure.sum() < BOXES_EACH
    assert all(whole[key][332].tobytes() == found[key][sure].tobytes() for key in found)


def test_mask_rows_of_200_000_images_are_written_as_they_come(tmp_path) -> None:
    """Three quarters of them are 60 MB as text, and 75 MB in a frame."""
    frame, seen = frame_of(COUNT), []
    code = " ".join(f"{start} 3" for start in range(1000, 1512, 9))
    pd.DataFrame({IMAGE_ID: frame[IMAGE_ID], "code": ""}).to_csv(tmp_path / "s.csv", index=False)

    def rows(count: int):
        for number, image_id in enumerate(frame[IMAGE_ID].iloc[:count]):
            if number % 1000 == 0:
                seen.append(resident())
            yield {IMAGE_ID: image_id, "code": f"{number + 1} 1 {code}"}

    write_submission(in_parts(rows(4000)), tmp_path / "first.csv")
    seen.clear()
    rules = SubmissionRules(dtype="text")
    out = write_submission(in_parts(rows(COUNT)), tmp_path / "codes.csv", tmp_path / "s.csv", rules)
    assert len(seen) == 200
    assert max(seen) - seen[50] < 30 * MB  # ids
    with out.open() as file:
        assert sum(1 for _ in file) == COUNT + 1
