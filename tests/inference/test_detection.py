"""Boxes come back to where the file has them, whatever the view and the size of the network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.checkpoints import load_checkpoint, save_checkpoint
from common.config import Config, DataConfig, ModelConfig, PredictConfig, TrainConfig
from common.data.build_boxes import box_loaders, predict_box_loader
from common.environment import seed_everything
from common.errors import KitError
from common.inference import detection
from common.inference.boxes import fuse
from common.inference.detection import confidence_of, predict_boxes
from common.inference.outcome import last_outcome
from common.inference.views import TTA
from common.keys import BOXES, IMAGE, IMAGE_ID, LABELS, SCORES
from common.learners.detection import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.detector import make_detector
from common.runs import Run

SIZES = [(96, 64), (64, 64), (50, 80), (120, 90), (64, 40)]  # width, height


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> pd.DataFrame:
    """A bright rectangle each, on black; its box in the column `truth`."""
    folder, rows = tmp_path_factory.mktemp("drawn"), []
    for number, (width, height) in enumerate(SIZES):
        image = np.zeros((height, width, 3), np.uint8)
        box = (4 + 3 * number, 5, 4 + 3 * number + 20, 30)
        image[box[1] : box[3], box[0] : box[2]] = 255
        path = folder / f"{number}.png"
        Image.fromarray(image).save(path)
        rows.append({"image_id": f"i{number}", "path": str(path), "truth": box})
    return pd.DataFrame(rows)


def write_checkpoint(path: Path, seed: int = 0, img_size: int = 64, confidence: float = 0.3):
    head = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False, "score_thresh": 0.0}
    config = Config(
        competition="x",
        task="detection",
        classes=("a", "b"),
        metric="m",
        data=DataConfig(img_size=img_size, num_workers=0),
        model=ModelConfig(
            name="test_resnet",
            weights="none",
            decoder_arguments={**head, "detections_per_img": 12},
        ),
        train=TrainConfig(batch_size=2),
    )
    torch.manual_seed(seed)
    content = {"weights": make_detector(config).state_dict(), "config": config.model_dump()}
    save_checkpoint(path, {**content, "thresholds": {"confidence": confidence}})
    return path


def load_config(path: Path) -> Config:
    return Config.model_validate(load_checkpoint(path)["config"])


class Finder(torch.nn.Module):
    """A detector that is right: the extent of what is bright, in the picture it is given."""

    def forward(self, batch: dict) -> dict:
        boxes = []
        for image in batch[IMAGE]:
            ys, xs = torch.nonzero(image[0] > 127, as_tuple=True)
            boxes.append(
                torch.stack([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).float()[None]
            )
        ones = [torch.ones(1)] * len(boxes)
        return {BOXES: boxes, LABELS: [torch.ones(1).long()] * len(boxes), SCORES: ones}


@pytest.fixture
def finder(monkeypatch):
    monkeypatch.setattr(detection, "make_detector", lambda config, load_weights: Finder())
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda self, weights: None)


@pytest.mark.parametrize("tta", TTA)
@pytest.mark.parametrize("img_sizes", [(64,), (64, 128)])
def test_a_right_detector_is_right_in_pixels_of_the_file(
    drawn, tmp_path, finder, tta, img_sizes
) -> None:
    checkpoints = [write_checkpoint(tmp_path / f"{s}.pt", img_size=s) for s in img_sizes]
    found = predict_boxes(checkpoints, drawn, PredictConfig(tta=tta))
    assert found.image_id.tolist() == drawn.image_id.tolist()
    for prediction, truth in zip(found.to_dict("records"), drawn.truth, strict=True):
        assert prediction[BOXES].shape == (1, 4)
        np.testing.assert_allclose(prediction[BOXES][0], truth, atol=1.6)
        assert prediction[LABELS].tolist() == [1]
        np.testing.assert_allclose(prediction[SCORES], 1)


def test_one_view_of_one_checkpoint_is_the_model_itself(drawn, tmp_path) -> None:
    path = write_checkpoint(tmp_path / "a.pt")
    content = load_checkpoint(path)
    config = Config.model_validate(content["config"])
    model = make_detector(config)
    model.load_state_dict(content["weights"])
    found = iter(predict_boxes([path], drawn, num_workers=0).to_dict("records"))
    for batch in predict_box_loader(drawn, config):
        with torch.inference_mode():
            outputs = model.eval()(batch.parts[0])
        for boxes, scores in zip(outputs[BOXES], outputs[SCORES], strict=True):
            prediction = next(found)
            width, height = SIZES[int(prediction[IMAGE_ID][1:])]
            expected = boxes.numpy() * np.array((width / 64, height / 64) * 2)
            np.testing.assert_allclose(prediction[BOXES], expected, rtol=1e-5)
            assert prediction[SCORES].tolist() == scores.tolist()
            assert len(scores) == 12


def test_several_checkpoints_are_fused_in_pixels_of_the_file(drawn, tmp_path) -> None:
    paths = [write_checkpoint(tmp_path / f"{seed}.pt", seed, 64 + 32 * seed) for seed in (0, 1)]
    alone = [predict_boxes([path], drawn) for path in paths]
    for row, found in enumerate(predict_boxes(paths, drawn, iou=0.4).to_dict("records")):
        assert found[IMAGE_ID] == drawn.image_id[row]
        expected = fuse([one.iloc[row].to_dict() for one in alone], SIZES[row], 0.4)
        for key in (BOXES, LABELS, SCORES):
            np.testing.assert_allclose(found[key], expected[key], rtol=1e-6)
        assert len(found[SCORES]) > 0


def test_weights_iou_and_scores_of_the_config_rule_the_fusion(drawn, tmp_path) -> None:
    paths = [write_checkpoint(tmp_path / f"{seed}.pt", seed) for seed in (0, 1)]
    alone = [predict_boxes([path], drawn) for path in paths]
    least = float(np.median(np.concatenate([s for one in alone for s in one[SCORES]])))
    options = PredictConfig(weights=(3, 1), fuse_iou=0.3, fuse_least=least)
    weighed = predict_boxes(paths, drawn, options).to_dict("records")
    cut = predict_boxes(paths, drawn, options.model_copy(update={"confidence": 0.6 * least}))
    for row, found in enumerate(weighed):
        parts = [one.iloc[row].to_dict() for one in alone]
        expected = fuse(parts, SIZES[row], 0.3, least, [0.75, 0.25])
        for key in (BOXES, LABELS, SCORES):
            np.testing.assert_allclose(found[key], expected[key], rtol=1e-6)
        kept = found[SCORES] >= 0.6 * least
        np.testing.assert_array_equal(cut[SCORES][row], found[SCORES][kept])
    assert 0 < cut[SCORES].map(len).sum() < sum(len(found[SCORES]) for found in weighed)
    first = predict_boxes(paths, drawn, PredictConfig(weights=(1, 0)))
    pd.testing.assert_frame_equal(first, alone[0])
    with pytest.raises(KitError, match="weight for each of 2 checkpoints"):
        predict_boxes(paths, drawn, PredictConfig(weights=(1,)))
    with pytest.raises(KitError, match=r"expected no predict\.blend for boxes"):
        predict_boxes(paths, drawn, PredictConfig(blend="blend.pt"))


def test_uncertain_boxes_are_left_out(drawn, tmp_path) -> None:
    path = write_checkpoint(tmp_path / "a.pt")
    everything = predict_boxes([path], drawn)
    cut = float(np.median(np.concatenate(everything[SCORES].to_list())))
    kept = predict_boxes([path], drawn, least=cut)
    for before, after in zip(everything[SCORES], kept[SCORES], strict=True):
        np.testing.assert_array_equal(after, before[before >= cut])


def test_the_confidence_is_the_mean_of_the_runs(tmp_path) -> None:
    paths = [write_checkpoint(tmp_path / f"{c}.pt", confidence=c) for c in (0.25, 0.75)]
    assert confidence_of(paths) == pytest.approx(0.5)
    content = load_checkpoint(paths[0])
    save_checkpoint(paths[0], {**content, "thresholds": {}})
    with pytest.raises(KitError, match="threshold 'confidence'"):
        confidence_of(paths)


def test_a_fold_predicted_again_is_its_out_of_fold_file_in_pixels_of_the_files(
    drawn, tmp_path
) -> None:
    """Scores and labels to the byte; boxes are the same numbers, scaled to the file."""
    config = load_config(write_checkpoint(tmp_path / "any.pt"))
    config = config.model_copy(update={"log.loggers": ["local"], "log.looks": "none"})
    config = config.model_copy(update={"train.epochs": 2, "metric": "coco_map_50"})
    frame = pd.concat([drawn, drawn.assign(image_id=drawn.image_id + "_")], ignore_index=True)
    frame["fold"] = np.arange(len(frame)) % 2
    frame["boxes"] = [np.array([box], float) for box in frame.truth]
    frame["labels"] = [np.zeros(1, int)] * len(frame)
    run = Run.create(tmp_path / "x" / "law" / "fold0", config)
    seed_everything(0)
    metrics = choose_metrics(config)
    loaders = box_loaders(frame, 0, config)
    train_run(make_learner(make_detector(config), *loaders, metrics, config), config, run, metrics)
    oof = pd.read_parquet(run.oof_file)
    found = predict_boxes([run.best()], frame[frame.fold == 0])
    assert found.image_id.tolist() == oof.image_id.tolist()
    for seen, kept in zip(found.to_dict("records"), oof.to_dict("records"), strict=True):
        width, height = SIZES[int(seen[IMAGE_ID][1:].strip("_"))]
        assert seen[SCORES].tobytes() == kept["predicted_scores"].tobytes()
        assert seen[LABELS].tobytes() == kept["predicted_labels"].tobytes()
        boxes = kept["predicted_boxes"].reshape(-1, 4) * np.array((width / 64, height / 64) * 2)
        assert seen[BOXES].tobytes() == boxes.tobytes()
    assert found[SCORES].map(len).sum() > 0


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_and_missing_images_have_no_boxes(drawn, tmp_path, workers) -> None:
    paths = [write_checkpoint(tmp_path / f"{seed}.pt", seed) for seed in (0, 1)]
    (tmp_path / "broken.png").write_bytes(b"text")
    cut = Path(drawn.path[3]).read_bytes()[:60]  # its header can be read, its pixels cannot
    (tmp_path / "cut.png").write_bytes(cut)
    places = [*drawn.path]
    places[1], places[3], places[4] = (
        str(tmp_path / name) for name in ("broken.png", "cut.png", "none.png")
    )
    whole = predict_boxes(paths, drawn)
    with pytest.warns(UserWarning, match="gets a fallback prediction"):
        found = predict_boxes(paths, drawn.assign(path=places), num_workers=workers)
    assert found[BOXES].map(len).gt(0).tolist() == [True, False, True, False, False]
    assert {boxes.shape[1] for boxes in found[BOXES]} == {4}
    for row in (0, 2):
        np.testing.assert_allclose(found[BOXES][row], whole[BOXES][row], atol=1e-3)
    assert last_outcome().broken_ids == ["i1", "i3", "i4"]
    with (
        pytest.warns(UserWarning, match="fallback"),
        pytest.raises(KitError, match="2 of 2 broken"),
    ):
        predict_boxes(paths, drawn.assign(path=places).iloc[[1, 4]])
