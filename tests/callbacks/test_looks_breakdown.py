"""From a column of the frame to its table, through the loaders and the Learner of each task."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.callbacks.looks import make_looks
from common.config import Config
from common.data.build import fold_loaders
from common.data.build_boxes import box_loaders
from common.data.build_masks import mask_loaders
from common.errors import KitError
from common.learners import classification, detection, segmentation
from common.loggers.recording import RecordingLogger
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter

MAKE = {
    "classification": (fold_loaders, make_classifier, classification.make_learner),
    "segmentation": (mask_loaders, make_segmenter, segmentation.make_learner),
    "detection": (box_loaders, make_detector, detection.make_learner),
}
METRICS = {"classification": "accuracy", "segmentation": "iou", "detection": "wheat_score"}
DECODERS = {
    "classification": {},
    "segmentation": {"decoder_channels": [16, 12, 8, 8, 4]},
    "detection": {"fpn_channels": 64, "num_convs": 1, "extra_levels": False},
}


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    """Eight pictures of four windows each that serve every task."""
    folder, rows = tmp_path_factory.mktemp("looks"), []
    random = np.random.default_rng(0)
    for number in range(8):
        image = random.integers(0, 255, (64, 64, 3)).astype(np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png")
        Image.fromarray((image[..., 0] > 128).astype(np.uint8)).save(folder / f"{number}_mask.png")
        row = {"image_id": f"i{number}", "path": str(folder / f"{number}.png")}
        row |= {"mask": str(folder / f"{number}_mask.png"), "label": number % 2}
        boxes = {"boxes": np.array([[5.0, 5, 40, 40]]), "labels": np.array([0])}
        rows.append({**row, **boxes, "fold": number // 4, "city": ["Wien", "Graz"][number % 4 > 0]})
    return pd.DataFrame(rows)


def config_of(task: str, breakdown: object = "city") -> Config:
    classes = ("no", "yes") if task == "classification" else ("thing",)
    return Config(competition="x", task=task, classes=classes, metric=METRICS[task]).model_copy(
        update={
            "data.img_size": 32,
            "data.num_workers": 0,
            "model.name": "test_resnet",
            "model.weights": "none",
            "model.decoder_arguments": DECODERS[task],
            "train.batch_size": 4,
            "log.breakdown": breakdown,
            "log.strict": True,
        }
    )


@pytest.mark.parametrize(
    ("task", "windows"), [("classification", 1), ("segmentation", 4), ("detection", 1)]
)
def test_every_sample_counts_in_the_group_of_its_row(task, windows, frame):
    config, logger = config_of(task), RecordingLogger()
    loaders, make_model, make_learner = MAKE[task]
    torch.manual_seed(0)
    learner = make_learner(
        make_model(config), *loaders(frame, 0, config), choose_metrics(config), config
    )
    learner.add_cbs(make_looks(config, logger))
    learner.fit(1)
    rows = logger.of("table", "valid/breakdown_table/city")[0]["rows"]
    assert {row["city"]: row["samples"] for row in rows} == {"Graz": 3 * windows, "Wien": windows}
    names = {given["name"] for given in logger.of("figure")}
    assert {"valid/confusion", "valid/distribution", "valid/breakdown/city"} <= names
    assert "valid/curves" in names


@pytest.mark.parametrize("task", list(MAKE))
def test_an_unknown_column_is_told_before_training(task, frame):
    with pytest.raises(KitError, match=r"log\.breakdown, got 'citi'; did you mean 'city'"):
        MAKE[task][0](frame, 0, config_of(task, ["citi"]))


def test_words_are_split():
    assert config_of("detection", "city,city*label").log.breakdown == ("city", "city*label")
    assert Config(competition="x", classes=("a",), metric="m").log.breakdown == ()
