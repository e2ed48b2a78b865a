"""Small learners of all three tasks over finished batches, to plant faults in."""

import torch

from common.callbacks.base import Callback
from common.config import Config, DataConfig, ModelConfig, TrainConfig
from common.data.loaders import collate
from common.keys import BOXES, GROUP, IMAGE, IMAGE_ID, INDEX, LABEL, LABELS, MASK
from common.learners import classification, detection, segmentation
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter

N, SIDE, BATCHES = 5, 64, 3


class Batches(list):
    """Finished batches in place of a loader."""

    @property
    def dataset(self) -> range:
        return range(N * len(self))


def sample(task: str, index: int) -> dict:
    image = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8)
    row = {IMAGE: image, INDEX: index, IMAGE_ID: f"s{index}"}
    mask = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    mask[8:40, 8 + index % 5 : 30] = 1
    box = torch.tensor([[8.0, 8.0, 30.0 + index % 5, 40.0]])
    return (
        row
        | {
            "classification": {LABEL: index % 3},
            "segmentation": {MASK: mask, GROUP: 0},
            "detection": {BOXES: box, LABELS: torch.zeros(1, dtype=torch.long)},
        }[task]
    )


def config_of(task: str, **update) -> Config:
    several = task == "classification"
    arguments = {
        "classification": {},
        "segmentation": {"decoder_channels": [16, 12, 8, 8, 8]},
        "detection": {"fpn_channels": 64, "num_convs": 1, "extra_levels": False},
    }[task]
    return Config(
        competition="x",
        task=task,
        classes=("a", "b", "c") if several else ("a",),
        metric="none",
        data=DataConfig(img_size=SIDE, num_workers=0),
        model=ModelConfig(name="test_resnet", weights="none", decoder_arguments=arguments),
        train=TrainConfig(batch_size=N, lr=1e-3),
    ).model_copy(update=update)


MAKERS = {
    "classification": (make_classifier, classification.make_learner),
    "segmentation": (make_segmenter, segmentation.make_learner),
    "detection": (make_detector, detection.make_learner),
}


def learner_of(config: Config):
    torch.manual_seed(0)
    batches = Batches(
        collate([sample(config.task, N * number + row) for row in range(N)])
        for number in range(BATCHES)
    )
    make_model, make_learner = MAKERS[config.task]
    learner = make_learner(make_model(config), batches, Batches(batches[:1]), [], config)
    learner.__dict__["batches"] = batches
    learner.create_opt()
    return learner


class States(Callback):
    """Remembers weights and optimiser as they were before the step that runs."""

    order = 5

    def before_batch(self) -> None:
        learn = self.learn
        self.steps = learn.train_iter + 1
        self.weights = copies(learn.model.state_dict())
        self.optimiser = [copies(values) for values in learn.opt.opt.state.values()]


def copies(values: dict) -> dict:
    return {name: value.clone() for name, value in values.items()}


def assert_same(a: dict, b: dict) -> None:
    torch.testing.assert_close(dict(a), dict(b), rtol=0, atol=0, equal_nan=True)
