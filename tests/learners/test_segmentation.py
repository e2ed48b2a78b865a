import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common import distributed
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build_masks import mask_loaders
from common.errors import KitError
from common.keys import (
    GROUP,
    IGNORE,
    IMAGE_ID,
    INDEX,
    LOSS,
    MASK,
    MASK_LOGITS,
    MASK_LOGITS_STRIDE_4,
    MASK_LOGITS_STRIDE_8,
    PREDICTION,
    TARGET,
)
from common.learners.recipe import train_run
from common.learners.segmentation import (
    SegmentationLearner,
    make_learner,
    picture_code,
    segmentation_loss,
)
from common.losses.segmentation import dice, downsampled
from common.metrics.choose import choose_metrics
from common.metrics.pixels import THRESHOLDS, confusion, threshold_counts
from common.metrics.segmentation import METRICS, tune_threshold
from common.models.segmenter import make_segmenter, mask_probabilities
from common.runs import Run

from ..several import together
from .parallel import without_batch_norms


def write_town(folder, n: int = 8) -> pd.DataFrame:
    """Write noisy pictures with bright roofs; two towns, four folds."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(n):
        image = random.normal(100, 25, (96, 112, 3))
        mask = np.zeros((96, 112), np.uint8)
        for _ in range(4):
            top, left, height, width = random.integers((0, 0, 12, 12), (80, 96, 36, 36))
            mask[top : top + height, left : left + width] = 1
        image[mask == 1] += (70, 10, -40)
        path, mask_path = folder / f"{number}.tif", folder / f"{number}_mask.png"
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
        Image.fromarray(mask).save(mask_path)
        rows.append({"image_id": f"t{number}", "path": str(path), "mask": str(mask_path)})
    return pd.DataFrame(rows).assign(group=np.arange(n) % 2, fold=np.arange(n) // 2)


@pytest.fixture(scope="module")
def town(tmp_path_factory) -> pd.DataFrame:
    return write_town(tmp_path_factory.mktemp("town"))


@pytest.fixture
def config() -> Config:
    return Config(
        competition="town",
        task="segmentation",
        classes=("roof",),
        metric="iou",
        watch=("iou_per_image", "iou_per_group", "tuned_iou", "pixel_accuracy"),
        data=DataConfig(img_size=32, augment="flip", num_workers=0),
        model=ModelConfig(
            name="test_resnet",
            weights="none",
            strides=(4, 8),
            decoder_arguments={"decoder_channels": [32, 24, 16, 12, 8]},
        ),
        train=TrainConfig(epochs=2, batch_size=8, lr=5e-3, seed=7),
        log=LogConfig(loggers=("local",), looks="none", strict=True),
    )


def learner_of(config: Config, frame: pd.DataFrame) -> SegmentationLearner:
    torch.manual_seed(config.train.seed)
    train, valid = mask_loaders(frame, 0, config)
    return make_learner(make_segmenter(config), train, valid, choose_metrics(config), config)


def everything(learner) -> tuple[dict, dict]:
    """The validation's batch and outputs in one piece."""
    batches = list(learner.dls.valid)
    batch = {
        key: torch.cat([part[key] for part in batches])
        for key, value in batches[0].items()
        if isinstance(value, torch.Tensor)
    }
    batch[IMAGE_ID] = [name for part in batches for name in part[IMAGE_ID]]
    with torch.inference_mode():
        return batch, learner.model.eval()(batch)


def test_training_lowers_the_loss_and_raises_the_iou(config, town):
    learner = learner_of(config, town)
    before = learner.validate()
    learner.fit_one_cycle(5, 5e-3)
    after = learner.evaluation
    assert after[LOSS].mean() < 0.6 * before[LOSS].mean()
    assert after.scores["iou"] > max(0.8, before.scores["iou"] + 0.2)
    for name in ("iou_per_image", "iou_per_group", "tuned_iou"):
        assert after.scores[name] == pytest.approx(after.scores["iou"], abs=0.1)
    assert after.scores["pixel_accuracy"] > 0.9
    terms = {f"{LOSS}/{name}{at}" for name in ("bce", "dice") for at in AT}
    assert terms == {name for name in after.columns if name.startswith(f"{LOSS}/")}
    threshold = learner.thresholds(after)["mask"]
    assert threshold == tune_threshold(after[PREDICTION])
    assert threshold in THRESHOLDS


AT = ("", "_stride_4", "_stride_8")


def test_an_evaluation_keeps_codes_and_counts_and_no_pixel(config, town):
    learner = learner_of(config, town)
    evaluation = learner.validate()
    batch, outputs = everything(learner)
    probs = mask_probabilities(outputs).numpy()
    assert evaluation[IMAGE_ID] == batch[IMAGE_ID]
    assert evaluation[TARGET][:, 0].tolist() == batch[GROUP].tolist()
    codes = [picture_code(name.partition("@")[0]) for name in batch[IMAGE_ID]]
    assert evaluation[TARGET][:, 1].tolist() == codes
    assert len(set(codes)) == 2
    expected = [
        threshold_counts(prob, mask, ignore=IGNORE)
        for prob, mask in zip(probs, batch[MASK].numpy(), strict=True)
    ]
    np.testing.assert_array_equal(evaluation[PREDICTION], expected)
    assert evaluation[PREDICTION][:, 0].sum() == 2 * 96 * 112
    assert evaluation.bytes_per_sample < 1200


def test_the_batch_size_of_validation_changes_no_score(config, town):
    scores = [
        learner_of(config.model_copy(update={"train.batch_size": size}), town).validate().scores
        for size in (5, 24)
    ]
    assert scores[0] == pytest.approx(scores[1])


def test_several_classes_are_counted_in_pairs(config, town):
    several = config.model_copy(
        update={"classes": ("ground", "roof"), "metric": "class_iou", "watch": ()}
    )
    learner = learner_of(several, town)
    evaluation = learner.validate()
    batch, outputs = everything(learner)
    pred = mask_probabilities(outputs).argmax(1).numpy()
    expected = confusion(pred, batch[MASK].numpy(), 2, IGNORE)
    np.testing.assert_array_equal(evaluation[PREDICTION], expected)
    assert learner.thresholds(evaluation) == {}
    learner.fit_one_cycle(3, 5e-3)
    assert learner.evaluation.scores["class_iou"] > evaluation.scores["class_iou"]


def test_a_window_of_nothing_but_padding_costs_nothing(config):
    loss = segmentation_loss(config)
    outputs = {
        MASK_LOGITS: torch.randn(2, 1, 32, 32, requires_grad=True),
        MASK_LOGITS_STRIDE_4: torch.randn(2, 1, 8, 8),
        MASK_LOGITS_STRIDE_8: torch.randn(2, 1, 4, 4),
    }
    mask = torch.full((2, 32, 32), IGNORE, dtype=torch.uint8)
    mask[1, :, :16] = 1
    values = loss.per_sample(outputs, {MASK: mask, INDEX: torch.arange(2)})
    assert all(value[0] == 0 for value in values.values())
    assert all(value[1] > 0 for value in values.values())
    changed = outputs[MASK_LOGITS].detach().clone()
    changed[1, :, :, 16:] = 50
    again = loss.per_sample({**outputs, MASK_LOGITS: changed}, {MASK: mask})
    assert again["dice"][1] == values["dice"][1]


def test_terms_have_the_weights_of_the_config(config):
    update = {
        "train.loss": {"dice": 2.0, "lovasz": 0.5, "focal": 1, "jaccard": 1},
        "train.stride_weight": 0.25,
    }
    loss = segmentation_loss(config.model_copy(update=update))
    weights = {term.name: term.weight for term in loss.terms}
    assert len(weights) == 12
    assert weights["dice"] == 2
    assert weights["dice_stride_4"] == weights["dice_stride_8"] == 0.5
    assert weights["lovasz_stride_8"] == 0.125
    logits, mask = torch.randn(2, 1, 8, 8), torch.randint(0, 2, (2, 32, 32), dtype=torch.uint8)
    term = next(term for term in loss.terms if term.name == "dice_stride_4")
    assert (term.output, term.target) == (MASK_LOGITS_STRIDE_4, MASK)
    expected = downsampled(dice(ignore=IGNORE), IGNORE)(logits, mask)
    torch.testing.assert_close(term.function(logits, mask), expected)


@pytest.mark.parametrize("name", ["bce", "focal", "dice", "jaccard", "lovasz"])
def test_every_term_trains(config, town, name):
    learner = learner_of(config.model_copy(update={"train.loss": {name: 1.0}}), town)
    before = METRICS["iou"].function(*_kept(learner))
    learner.fit_one_cycle(2, 5e-3)
    assert METRICS["iou"].function(*_kept(learner)) > before


def _kept(learner) -> tuple:
    evaluation = learner.validate()
    return evaluation[TARGET], evaluation[PREDICTION]


def test_probabilities_of_one_class_and_of_several():
    logits = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(mask_probabilities({MASK_LOGITS: logits}), logits.softmax(1))
    one = mask_probabilities({MASK_LOGITS: logits[:, :1].half()})
    assert (one.shape, one.dtype) == ((2, 4, 4), torch.float32)


def test_codes_of_pictures_differ_and_stay():
    codes = {picture_code(f"image{number}") for number in range(10_000)}
    assert len(codes) == 10_000
    assert 0 <= min(codes) <= max(codes) < 2**63
    assert picture_code("austin1") == 1_002_090_985_361_566_851


def test_what_does_not_fit_is_told(config):
    with pytest.raises(KitError, match=r"unknown term 'dise' in train.loss.*did you mean 'dice'"):
        segmentation_loss(config.model_copy(update={"train.loss": {"dise": 1.0}}))


def fit_town(config, town, folder) -> dict:
    with distributed.joined():
        run = Run(folder)
        if distributed.is_first():
            Run.create(folder, config)
        torch.manual_seed(0)
        model = without_batch_norms(make_segmenter(config))
        metrics = choose_metrics(config)
        learner = make_learner(model, *mask_loaders(town, 0, config), metrics, config)
        summary = train_run(learner, config, run, metrics)
        return {"scores": summary["metrics"], LOSS: learner.evaluation[LOSS]}


def test_two_processes_train_as_one(config, town, tmp_path):
    looks = ("extremes", "label_issues", "predictions")
    log = LogConfig(loggers=("local",), looks=looks, strict=True)
    config = config.model_copy(update={"train.epochs": 1, "train.batch_size": 5, "log": log})
    folders = [tmp_path / "town" / name / "fold0" for name in ("one", "two")]
    town = town.head(4)
    one = fit_town(config, town, folders[0])
    for two in together(2, fit_town, config, town, folders[1]):
        assert two["scores"] == pytest.approx(one["scores"], rel=2e-3)
        np.testing.assert_allclose(two[LOSS], one[LOSS], rtol=1e-3)
    for name in ("train_extremes", "valid_extremes", "valid_predictions"):
        tables = [pd.read_parquet(f / "figures" / f"{name}_epoch1.parquet") for f in folders]
        assert tables[0]["image_id"].tolist() == tables[1]["image_id"].tolist()
    issues = [pd.read_csv(Run(folder).label_issues_file) for folder in folders]
    assert len(issues[0]) == pytest.approx(len(issues[1]), abs=1)
    assert len(issues[0]) > 0
