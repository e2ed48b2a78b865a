"""Five crops: exact sizes, exact places, the mean of what a network says of each."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.checkpoints import save_checkpoint
from common.config import PredictConfig
from common.data.build import predict_loader
from common.errors import KitError
from common.inference.classification import predict_classes
from common.inference.crops import CROPS, cropped, enlarged
from common.inference.detection import predict_boxes
from common.inference.predict import look
from common.inference.segmentation import predict_masks
from common.inference.views import Pass, passes_of
from common.keys import IMAGE, LOGITS
from common.models.classifier import make_classifier

CLASSES = ["blue", "green", "red"]


@given(st.integers(1, 5000))
def test_what_is_read_larger_is_cropped_to_the_trained_size(side: int) -> None:
    assert cropped(enlarged(side)) == side
    assert enlarged(224) == 256
    assert side <= enlarged(side) <= side * 8 / 7 + 1


@given(st.integers(14, 60), st.integers(14, 60))
def test_the_crops_are_the_centre_and_the_corners(width: int, height: int) -> None:
    tall, wide = enlarged(height), enlarged(width)
    whole = torch.arange(tall * wide).reshape(1, 1, tall, wide)
    centre, *corners = (crop.image(whole)[0, 0] for crop in CROPS)
    assert {part.shape for part in (centre, *corners)} == {(height, width)}
    margins = (tall - height) // 2, (wide - width) // 2
    assert centre[0, 0] == whole[0, 0, margins[0], margins[1]]
    assert {int(part[0, 0]) for part in corners} == {
        int(whole[0, 0, top, left]) for top in (0, tall - height) for left in (0, wide - width)
    }
    seen = torch.cat([part.flatten() for part in (centre, *corners)]).unique()
    assert len(seen) == tall * wide  # no pixel is lost


def test_passes_are_five_for_each_scale_and_the_centre_comes_first() -> None:
    passes = passes_of(PredictConfig(tta="five_crop", scales=(1.0, 1.5)))
    assert [one.crop for one in passes] == [*CROPS, *CROPS]
    images = torch.zeros(2, 3, enlarged(64), enlarged(64), dtype=torch.uint8)
    shapes = [one.image(images).shape[-2:] for one in passes]
    assert shapes == [(64, 64)] * 5 + [(96, 96)] * 5
    assert passes[0].image(images).dtype == torch.uint8


@pytest.fixture
def checkpoint(config, tmp_path):
    torch.manual_seed(0)
    content = {"config": config.model_dump(mode="json")}
    weights = make_classifier(config).state_dict()
    save_checkpoint(tmp_path / "a.pt", {**content, "weights": weights})
    return tmp_path / "a.pt"


def test_a_prediction_is_the_mean_over_crops_of_images_read_larger(
    colours, config, checkpoint
) -> None:
    frame = colours[colours.fold == 0].reset_index(drop=True)
    found = predict_classes([checkpoint], frame, PredictConfig(tta="five_crop"))
    model = make_classifier(config).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["weights"])
    larger = config.model_copy(update={"data.img_size": 36})  # 32 pixels are cut from it
    images = torch.cat([b.parts[0][IMAGE] for b in predict_loader(frame, larger)])
    places = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    with torch.inference_mode():
        said = [
            model({IMAGE: images[..., y : y + 32, x : x + 32].contiguous()})[LOGITS].softmax(1)
            for y, x in places
        ]
    np.testing.assert_allclose(found[CLASSES].to_numpy(), torch.stack(said).mean(0), atol=1e-5)


def test_crops_are_refused_where_they_make_no_sense(colours, config, checkpoint, tmp_path) -> None:
    crops = PredictConfig(tta="five_crop")
    for predict, what in ((predict_boxes, "boxes"), (predict_masks, "masks")):
        with pytest.raises(KitError, match=rf"for {what}, got five_crop.*for classes alone"):
            list(predict([checkpoint], colours, crops))
    endless = config.model_copy(update={"data.img_size": None})
    content = {"config": endless.model_dump(mode="json")}
    weights = make_classifier(endless).state_dict()
    save_checkpoint(tmp_path / "b.pt", {**content, "weights": weights})
    with pytest.raises(KitError, match=r"data.img_size for predict.tta=five_crop"):
        predict_classes([tmp_path / "b.pt"], colours, crops)


def test_a_bug_at_the_trained_size_is_not_taken_for_a_size_refused() -> None:
    def network(batch: dict) -> dict:
        raise RuntimeError("a bug")

    batch = {IMAGE: torch.zeros(1, 3, enlarged(64), enlarged(64))}
    with pytest.raises(RuntimeError, match="a bug"):
        look(network, batch, Pass(crop=CROPS[1]))
