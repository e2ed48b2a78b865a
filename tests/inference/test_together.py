"""Several processes predict what one does, to the last bit, and one of them writes it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common import distributed
from common.checkpoints import save_checkpoint
from common.config import Config, DataConfig, ModelConfig, PredictConfig, TrainConfig
from common.data.sizes import image_sizes
from common.errors import KitError
from common.inference.classification import predict_classes
from common.inference.detection import predict_boxes, stream_boxes
from common.inference.outcome import last_outcome
from common.inference.segmentation import predict_masks
from common.inference.stream_classes import stream_classes
from common.keys import BOXES, LABELS, SCORES
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter
from common.submission.boxes import format_boxes
from common.submission.masks import write_mask_zip
from common.submission.rules import SubmissionRules
from common.submission.writer import write_submission

from ..several import together

MAKERS = {
    "classification": make_classifier,
    "segmentation": make_segmenter,
    "detection": make_detector,
}
HEAD = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False, "score_thresh": 0.0}
FLIPPED = PredictConfig(tta="flip")
EMPTY = SubmissionRules(allow_empty=True)


def write_checkpoint(path: Path, task: str, seed: int, batch_size: int) -> Path:
    arguments = {"decoder_arguments": {**HEAD, "detections_per_img": 6}}
    config = Config(
        competition="x",
        task=task,
        classes=("a", "b"),
        metric="m",
        data=DataConfig(img_size=32, num_workers=0),
        model=ModelConfig(
            name="test_resnet", weights="none", **(arguments if task == "detection" else {})
        ),
        train=TrainConfig(batch_size=batch_size),
    )
    torch.manual_seed(seed)
    weights = MAKERS[task](config).state_dict()
    save_checkpoint(path, {"config": config.model_dump(mode="json"), "weights": weights})
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, list[Path]]:
    """Two of each task, which read batches of 4 and of 3."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {
        task: [
            write_checkpoint(folder / f"{task}{seed}.pt", task, seed, 4 - seed) for seed in range(2)
        ]
        for task in MAKERS
    }


@pytest.fixture(scope="module")
def frame(colours, tmp_path_factory) -> pd.DataFrame:
    """Eleven images, of which the sixth is broken."""
    frame = colours[["image_id", "path"]].head(11).copy()
    broken = tmp_path_factory.mktemp("broken") / "text.jpg"
    broken.write_text("no image")
    frame.loc[5, "path"] = str(broken)
    return frame


def to_rows(part: pd.DataFrame) -> pd.DataFrame:
    cells = [format_boxes(row.boxes, row.scores, row.labels, 12, 12) for row in part.itertuples()]
    return pd.DataFrame({"image_id": part["image_id"], "cell": cells})


def predict_all(checkpoints: dict[str, list[Path]], frame: pd.DataFrame, folder: Path) -> dict:
    """Return every task's predictions as bytes; the files lie in the folder."""
    with distributed.joined():
        told = {}
        classes = predict_classes(checkpoints["classification"], frame, FLIPPED)
        told["classes"] = classes.iloc[:, 1:].to_numpy().tobytes(), last_outcome().broken_ids
        write_submission(classes, folder / "classes.csv")
        stream_classes(checkpoints["classification"], frame, folder / "classes.parquet", FLIPPED)
        boxes = predict_boxes(checkpoints["detection"], frame, FLIPPED)
        columns = [value.tobytes() for key in (BOXES, LABELS, SCORES) for value in boxes[key]]
        told["boxes"] = columns, last_outcome().broken_ids
        parts = stream_boxes(checkpoints["detection"], frame, FLIPPED)
        write_submission(map(to_rows, parts), folder / "boxes.csv", rules=EMPTY)
        masks = list(predict_masks(checkpoints["segmentation"], frame, FLIPPED))
        told["masks"] = [(name, mask.tobytes()) for name, mask in masks], last_outcome().broken_ids
        tiffs = ((f"{Path(name).stem}.tif", mask[0] > 0.5) for name, mask in masks)
        sizes = {f"{Path(k).stem}.tif": v for k, v in image_sizes(frame.drop(5)).items()}
        sizes[f"{Path(frame.image_id[5]).stem}.tif"] = (40, 48)
        write_mask_zip(tiffs, folder / "masks.zip", sizes)
        return told


@pytest.mark.filterwarnings("ignore:test image")
def test_predictions_and_files_are_those_of_one_process_bit_for_bit(checkpoints, frame, tmp_path):
    folders = [tmp_path / name for name in ("one", "several")]
    for folder in folders:
        folder.mkdir()
    one = predict_all(checkpoints, frame, folders[0])
    several = together(3, predict_all, checkpoints, frame, folders[1])
    assert one["classes"][1] == one["boxes"][1] == one["masks"][1] == [frame.image_id[5]]
    for told in several:
        assert told == one
    for name in ("classes.csv", "classes.parquet", "boxes.csv", "masks.zip"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def predict_nothing(checkpoints, frame) -> str:
    with distributed.joined(), pytest.raises(KitError) as error:
        predict_classes(checkpoints, frame)
    return str(error.value)


@pytest.mark.filterwarnings("ignore:test image")
def test_images_that_are_all_broken_are_told_by_all(checkpoints, frame):
    bad = frame.assign(path=frame.path[5])
    for text in together(2, predict_nothing, checkpoints["classification"], bad):
        assert "11 of 11 broken" in text


def predict_few(checkpoints, frame) -> np.ndarray:
    with distributed.joined():
        return predict_classes(checkpoints, frame).iloc[:, 1:].to_numpy()


def test_a_process_may_have_nothing_to_do(checkpoints, frame):
    few = frame.head(3)
    alone = predict_few(checkpoints["classification"], few)
    for found in together(2, predict_few, checkpoints["classification"], few):
        np.testing.assert_array_equal(found, alone)
