from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.checkpoints import save_checkpoint
from common.config import Config, DataConfig, ModelConfig, PredictConfig, TrainConfig
from common.data.sizes import image_sizes
from common.errors import KitError
from common.inference.outcome import last_outcome
from common.inference.segmentation import Views, predict_masks, threshold_of
from common.inference.views import VIEWS, Pass
from common.keys import IMAGE, MASK_LOGITS
from common.models.segmenter import make_segmenter

RNG = np.random.default_rng(0)
SIZES = [(64, 64), (70, 150), (33, 40)]


def config_of(*classes: str) -> Config:
    return Config(
        competition="town",
        task="segmentation",
        classes=classes,
        metric="iou",
        data=DataConfig(img_size=64, num_workers=0),
        model=ModelConfig(name="test_resnet", weights="none"),
        train=TrainConfig(batch_size=4),
    )


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("pictures")
    for number, size in enumerate(SIZES):
        image = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{number}.tif")
    names = [f"{number}.tif" for number in range(len(SIZES))]
    return pd.DataFrame({"image_id": names, "path": [str(folder / name) for name in names]})


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two of one class, with thresholds, and one of three classes, without."""
    folder = tmp_path_factory.mktemp("checkpoints")
    kinds = [("roof",), ("roof",), ("ground", "roof", "road")]
    for seed, classes in enumerate(kinds):
        torch.manual_seed(seed)
        config = config_of(*classes)
        content = {
            "config": config.model_dump(mode="json"),
            "weights": make_segmenter(config).state_dict(),
            "thresholds": {"mask": 0.25 + 0.25 * seed} if len(classes) == 1 else {},
        }
        save_checkpoint(folder / f"{seed}.pt", content)
    return [folder / f"{seed}.pt" for seed in range(len(kinds))]


def test_every_picture_gets_probabilities_of_its_own_size(frame, checkpoints):
    one, several = (dict(predict_masks([path], frame)) for path in checkpoints[1:])
    assert list(one) == list(several) == frame["image_id"].tolist()
    for size, mask, classes in zip(SIZES, one.values(), several.values(), strict=True):
        assert (mask.shape, mask.dtype) == (size, np.float32)
        assert 0 <= mask.min() < mask.max() <= 1
        assert classes.shape == (3, *size)
        np.testing.assert_allclose(classes.sum(0), 1, rtol=1e-5)


def test_a_picture_of_one_tile_is_what_the_model_says(frame, checkpoints):
    _, mask = next(predict_masks(checkpoints[:1], frame))
    torch.manual_seed(0)
    model = make_segmenter(config_of("roof")).eval()
    image = np.asarray(Image.open(frame["path"].iloc[0]))
    with torch.inference_mode():
        batch = {IMAGE: torch.from_numpy(image.transpose(2, 0, 1).copy())[None]}
        expected = model(batch)[MASK_LOGITS][0, 0].sigmoid()
    np.testing.assert_allclose(mask, expected, atol=1e-6)


def test_checkpoints_are_averaged_and_workers_change_nothing(frame, checkpoints):
    first, second = (dict(predict_masks([path], frame)) for path in checkpoints[:2])
    for workers in (0, 2):
        for image_id, mask in predict_masks(checkpoints[:2], frame, num_workers=workers):
            np.testing.assert_allclose(mask, (first[image_id] + second[image_id]) / 2, atol=1e-6)


def test_all_views_together_turn_with_the_picture(checkpoints):
    torch.manual_seed(0)
    model = Views(make_segmenter(config_of("roof")), [Pass(view) for view in VIEWS.values()]).eval()
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        straight = model({IMAGE: image})[MASK_LOGITS]
        for view in VIEWS.values():
            turned = model({IMAGE: view.image(image)})[MASK_LOGITS]
            torch.testing.assert_close(turned, view.image(straight), rtol=1e-4, atol=1e-4)
        single = model.model({IMAGE: image})[MASK_LOGITS]
    assert (single - straight).abs().max() > 1e-3


def test_the_threshold_is_the_mean_of_what_was_tuned(checkpoints):
    assert threshold_of(checkpoints[:2]) == 0.375
    assert threshold_of(checkpoints[2:]) == 0.5


def test_what_does_not_fit_is_told(frame, checkpoints):
    with pytest.raises(KitError, match="checkpoints of the same classes"):
        next(predict_masks(checkpoints, frame))
    missing = frame.assign(path="nowhere.tif")
    for workers in (0, 2):
        with pytest.raises(KitError, match=r"3 of 3 broken.*nowhere.tif"):
            list(predict_masks(checkpoints[:1], missing, num_workers=workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_image_has_an_empty_mask_of_its_size_or_of_the_usual_one(
    frame, checkpoints, tmp_path, workers
):
    names = ["a", "b", "cut", "text", "none"]
    paths = [frame["path"].iloc[1]] * 2 + [str(tmp_path / f"{name}.png") for name in names[2:]]
    Image.fromarray(RNG.integers(0, 256, (50, 41, 3), dtype=np.uint8)).save(paths[2])
    Path(paths[2]).write_bytes(Path(paths[2]).read_bytes()[:500])
    Path(paths[3]).write_bytes(b"text")
    spoilt = pd.DataFrame({"image_id": names, "path": paths})
    for chosen, empty in ((checkpoints[:2], 0), (checkpoints[2:], [[[1]], [[0]], [[0]]])):
        with pytest.warns(UserWarning, match="fallback") as told:
            found = dict(predict_masks(chosen, spoilt, num_workers=workers))
        assert list(found) == names
        shapes = [mask.shape[-2:] for mask in found.values()]
        assert shapes == [(70, 150), (70, 150), (50, 41), (70, 150), (70, 150)]
        for name in names[2:]:
            assert (found[name] == np.array(empty)).all()
            assert any(f"{name}.png' gets a fallback" in str(said.message) for said in told)
        assert last_outcome().broken_ids == names[2:]
        whole = dict(predict_masks(chosen, spoilt.iloc[:1]))
        np.testing.assert_allclose(found["b"], whole["a"], atol=1e-6)
    assert image_sizes(spoilt) == dict(zip(names, shapes, strict=True))


def test_scales_and_views_come_from_the_options(frame, checkpoints):
    plain, rich = (
        dict(predict_masks(checkpoints[:1], frame, options))
        for options in (PredictConfig(), PredictConfig(tta="mirrors", scales=(1, 1.5)))
    )
    for image_id, mask in plain.items():
        assert rich[image_id].shape == mask.shape
        assert np.abs(rich[image_id] - mask).max() > 1e-3
