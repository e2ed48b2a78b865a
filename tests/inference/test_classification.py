"""Predicting classes: what validation saw comes again, and a broken image breaks nothing."""

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from common.checkpoints import save_checkpoint
from common.config import Config, PredictConfig
from common.data.build import fold_loaders
from common.data.tolerant import Broken, tolerant_loader
from common.environment import seed_everything
from common.errors import KitError
from common.inference import each_model
from common.inference.classification import predict_classes
from common.inference.outcome import MAX_NAMED, last_outcome
from common.inference.predict import load_model, precision
from common.inference.views import VIEWS
from common.keys import IMAGE, IMAGE_ID, INDEX, LOGITS
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

CLASSES = ["blue", "green", "red"]


@pytest.fixture
def checkpoints(config, tmp_path) -> list[Path]:
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        weights = make_classifier(config).state_dict()
        paths.append(tmp_path / f"{seed}.pt")
        save_checkpoint(paths[-1], {"config": config.model_dump(mode="json"), "weights": weights})
    return paths


@pytest.fixture
def spoilt(colours, tmp_path) -> pd.DataFrame:
    """Row 3 is no image, row 10 is cut off, row 35 has no file."""
    frame = colours[["image_id", "path"]].copy()
    whole = Path(frame.path[10]).read_bytes()
    for row, content in ((3, b"text"), (10, whole[: len(whole) // 2])):
        frame.loc[row, "path"] = str(tmp_path / f"broken{row}.jpg")
        Path(frame.path[row]).write_bytes(content)
    frame.loc[35, "path"] = str(tmp_path / "missing.jpg")
    return frame


def values_of(result: pd.DataFrame) -> np.ndarray:
    return result[CLASSES].to_numpy()


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_fold_predicted_again_is_its_out_of_fold_file(
    colours, config: Config, tmp_path, multilabel, ema
) -> None:
    config = config.model_copy(update={"train.ema_decay": ema, "multilabel": multilabel})
    if multilabel:
        labels = {name: np.float32(colours.label == place) for place, name in enumerate(CLASSES)}
        colours = colours.assign(**labels)
    seed_everything(0)
    run = Run.create(tmp_path / "colours" / "law" / "fold0", config)
    metrics = choose_metrics(config)
    model = make_classifier(config)
    train_run(
        make_learner(model, *fold_loaders(colours, 0, config), metrics, config),
        config,
        run,
        metrics,
    )
    oof = pd.read_parquet(run.oof_file)
    found = predict_classes([run.best()], colours[colours.fold == 0].reset_index(drop=True))
    assert found.image_id.tolist() == oof.image_id.tolist()
    expected = oof[[f"prob_{name}" for name in CLASSES]].to_numpy()
    assert values_of(found).dtype == expected.dtype == np.float32
    assert values_of(found).tobytes() == expected.tobytes()
    workers = predict_classes([run.best()], colours[colours.fold == 0], num_workers=2)
    assert values_of(workers).tobytes() == expected.tobytes()


def test_views_and_checkpoints_are_means_of_probabilities(colours, config, checkpoints) -> None:
    singles = []
    for checkpoint in checkpoints:
        model = make_classifier(config).eval()
        model.load_state_dict(torch.load(checkpoint, weights_only=True)["weights"])
        _, loader = fold_loaders(colours, 0, config)
        with torch.inference_mode():
            probs = [
                torch.stack(
                    [
                        model({IMAGE: VIEWS[view].image(batch[IMAGE])})["logits"].softmax(1)
                        for view in ("e", "h")
                    ]
                ).mean(0)
                for batch in loader
            ]
        singles.append(torch.cat(probs))
    found = predict_classes(checkpoints, colours[colours.fold == 0], PredictConfig(tta="flip"))
    np.testing.assert_allclose(values_of(found), torch.stack(singles).mean(0), atol=1e-6)


def test_checkpoints_have_the_weights_that_are_named(colours, checkpoints) -> None:
    first, second = (values_of(predict_classes([one], colours)) for one in checkpoints)
    weighted = predict_classes(checkpoints, colours, PredictConfig(weights=(3, 1)))
    np.testing.assert_allclose(values_of(weighted), 0.75 * first + 0.25 * second, atol=1e-6)
    alone = predict_classes(checkpoints, colours, PredictConfig(weights=(0, 1)))
    np.testing.assert_array_equal(values_of(alone), second)
    for weights in ((1,), (0, 0), (1, 2, 3)):
        with pytest.raises(KitError, match="weight for each of 2 checkpoints"):
            predict_classes(checkpoints, colours, PredictConfig(weights=weights))


def test_options_come_from_the_first_checkpoint_unless_given(colours, config, checkpoints) -> None:
    content = torch.load(checkpoints[0], weights_only=True)
    options = {"predict.tta": "d4", "predict.scales": [1, 1.5]}
    changed = config.model_copy(update=options)
    save_checkpoint(checkpoints[0], {**content, "config": changed.model_dump(mode="json")})
    by_config = values_of(predict_classes(checkpoints, colours))
    given = values_of(predict_classes(checkpoints[::-1], colours, changed.predict))
    plain = values_of(predict_classes(checkpoints[::-1], colours))
    np.testing.assert_allclose(by_config, given, atol=1e-6)
    assert abs(by_config - plain).max() > 1e-4
    np.testing.assert_allclose(by_config.sum(1), 1, rtol=1e-5)


def test_half_precision_is_the_trainings_on_a_gpu_and_none_on_a_cpu(config, checkpoints) -> None:
    trained = config.model_copy(update={"train.amp": "fp16"})
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert precision(PredictConfig(), trained, gpu) == "fp16"
    assert precision(PredictConfig(), config, gpu) == "none"
    assert precision(PredictConfig(), trained, cpu) == "none"
    assert precision(PredictConfig(amp="none"), trained, gpu) == "none"
    content = torch.load(checkpoints[0], weights_only=True)
    save_checkpoint(checkpoints[0], {**content, "config": trained.model_dump(mode="json")})
    whole, batch = torch.float32, {IMAGE: torch.zeros((2, 3, 32, 32), dtype=torch.uint8)}
    for amp, dtype in (("trained", whole), ("none", whole), ("bf16", torch.bfloat16)):
        model, _ = load_model(checkpoints[0], make_classifier, PredictConfig(amp=amp))
        assert model.eval()(batch)[LOGITS].dtype == dtype
        assert {parameter.dtype for parameter in model.parameters()} == {whole}


def test_half_precision_says_nearly_the_same(colours, checkpoints) -> None:
    whole, same, half = (
        values_of(predict_classes(checkpoints, colours, PredictConfig(amp=amp)))
        for amp in ("none", "trained", "bf16")
    )
    np.testing.assert_array_equal(same, whole)
    assert half.dtype == np.float32
    assert 0 < abs(half - whole).max() < 0.03
    np.testing.assert_allclose(half.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_broken_and_missing_images_get_the_mean_of_the_others(
    colours, spoilt, checkpoints, workers
) -> None:
    whole = values_of(predict_classes(checkpoints, colours))
    with pytest.warns(UserWarning, match="gets? a fallback") as told:
        found = values_of(predict_classes(checkpoints, spoilt, num_workers=workers))
    broken = np.isin(np.arange(36), [3, 10, 35])
    np.testing.assert_allclose(found[~broken], whole[~broken], atol=1e-6)
    np.testing.assert_allclose(found[broken], [found[~broken].mean(0)] * 3, rtol=1e-6)
    texts = [str(warning.message) for warning in told]
    for name in ("broken3.jpg", "broken10.jpg", "missing.jpg"):
        assert sum(name in text for text in texts) == 1, texts
    outcome = last_outcome()
    assert (outcome.images, outcome.given_up) == (36, [])
    assert outcome.broken_ids == [spoilt.image_id[row] for row in (3, 10, 35)]
    assert outcome.seconds > 0
    predict_classes(checkpoints[:1], colours)
    assert last_outcome().broken_ids == []


def test_nothing_to_predict_is_an_error(colours, spoilt, checkpoints) -> None:
    with (
        pytest.warns(UserWarning, match="broken3"),
        pytest.raises(KitError, match=r"got 3 of 3 broken; .*broken3"),
    ):
        predict_classes(checkpoints, spoilt.iloc[[3, 10, 35]])
    with pytest.raises(KitError, match="got none; is the test folder empty"):
        predict_classes(checkpoints, spoilt.iloc[:0])
    with pytest.raises(KitError, match="a checkpoint at least"):
        predict_classes([], colours)


def test_many_broken_images_are_counted_not_listed(colours, checkpoints) -> None:
    gone = colours.assign(path=[*colours.path[:6], *("gone.jpg" for _ in range(30))])
    with pytest.warns(UserWarning, match="gets? a fallback") as told:
        predict_classes(checkpoints, gone)
    texts = [str(warning.message) for warning in told]
    assert len(texts) == MAX_NAMED + 1
    assert "10 more test images" in texts[-1]
    assert len(last_outcome().broken_ids) == 30


def test_memory_is_taken_once_whatever_is_predicted(config, checkpoints, monkeypatch) -> None:
    """However many checkpoints and views: the result, and a batch at a time."""
    rows, num_classes, size = 400, 2000, 8
    config = config.model_copy(update={"classes": tuple(f"c{n}" for n in range(num_classes))})
    config = config.model_copy(update={"train.batch_size": size})

    class Table(torch.nn.Module):
        def forward(self, batch: dict) -> dict:
            return {LOGITS: torch.zeros(len(batch[IMAGE]), num_classes)}

    def loader(frame, config, num_workers):
        def sample(row: int) -> dict:
            return {IMAGE: torch.zeros(3, 1, 1), INDEX: row, IMAGE_ID: str(row)}

        dataset = [Broken(row, "torn") if row % 9 == 0 else sample(row) for row in range(rows)]
        return tolerant_loader(dataset, size, 0)

    monkeypatch.setattr(each_model, "load_model", lambda *_: (Table(), config))
    monkeypatch.setattr(each_model, "predict_loader", loader)
    frame = pd.DataFrame({"image_id": [str(row) for row in range(rows)], "path": "any"})
    tracemalloc.start()
    with pytest.warns(UserWarning, match="fallback"):
        found = predict_classes(checkpoints * 2, frame, PredictConfig(tta="d4"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    payload = rows * num_classes * 4
    assert found.shape == (rows, num_classes + 1)
    assert peak < 1.5 * payload  # a copy for each of 4 checkpoints would be 4 or 5 of them


def test_images_of_several_sizes_share_a_batch(colours, config, tmp_path) -> None:
    from PIL import Image

    config = config.model_copy(update={"data.img_size": None})
    torch.manual_seed(0)
    content = {
        "config": config.model_dump(mode="json"),
        "weights": make_classifier(config).state_dict(),
    }
    save_checkpoint(tmp_path / "a.pt", content)
    paths = list(colours.path[:5])
    for row in (1, 3):
        Image.open(paths[row]).resize((64, 33)).save(tmp_path / f"{row}.png")
        paths[row] = str(tmp_path / f"{row}.png")
    frame = pd.DataFrame({"image_id": list("abcde"), "path": paths})
    together = values_of(predict_classes([tmp_path / "a.pt"], frame, PredictConfig(tta="d4")))
    for row in range(5):
        alone = predict_classes([tmp_path / "a.pt"], frame.iloc[[row]], PredictConfig(tta="d4"))
        np.testing.assert_allclose(together[row], values_of(alone)[0], atol=1e-6)
