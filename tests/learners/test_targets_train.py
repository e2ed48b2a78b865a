"""Numbers, grades and auxiliary columns: trained, resumed to the bit, looked at, predicted."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate

from common.callbacks.mix import Mix
from common.checkpoints import load_checkpoint
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.errors import KitError
from common.inference.classification import predict_classes
from common.inference.decisions import signature
from common.keys import LABEL, LOGITS, VALUES, auxiliary_logits, auxiliary_target
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.learners.sanity.one_batch import on_device, one_batch
from common.learners.sanity.start_loss import start_loss
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.models.targets import AuxiliaryHeads
from common.runs import Run

from .conftest import SignalAt

NUMBERS = {"target": "regression", "classes": ("age",), "metric": "rmse", "watch": ("r2",)}
GRADES = {"target": "ordinal", "classes": ("0", "1", "2", "3"), "metric": "quadratic_kappa"}
AUXILIARY = {"model.auxiliary": {"age": 1, "label": 4}, "train.loss.auxiliary_age": 0.5}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> pd.DataFrame:
    """24 grey noisy pictures: the brighter, the older and the higher the grade."""
    folder, random, rows = tmp_path_factory.mktemp("greys"), np.random.default_rng(0), []
    for number in range(24):
        age = random.uniform(200, 300)
        pixels = random.normal(age * 2 - 400, 20, (32, 32, 1)).clip(0, 255).astype(np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(pixels.repeat(3, 2)).save(path)
        grade = int((age - 200) // 25)
        rows.append({"image_id": path.name, "path": str(path), "age": age, "label": grade})
    frame = pd.DataFrame(rows).assign(
        height=lambda f: 500 - f.age, place=["left", "left", "right"] * 8
    )
    return frame.assign(fold=np.arange(24) % 2)


def run_once(world, config, folder, *callbacks, resume=False) -> Run:
    run = Run.create(folder / "fold0", config, resume)
    seed_everything(config.train.seed, deterministic=True)
    metrics = choose_metrics(config)
    loaders = fold_loaders(world, 0, config)
    learner = make_learner(make_classifier(config), *loaders, metrics, config)
    learner.add_cbs(callbacks)
    train_run(learner, config, run, metrics, resume)
    torch.use_deterministic_algorithms(False)
    return run


def of(config, update):
    base = {"data.n_folds": 2, "train.batch_size": 6, "watch": (), "train.deterministic": True}
    return config.model_copy(update={**base, **update})


def test_numbers_with_auxiliary_columns_train_resume_and_predict_in_their_units(
    config, world, tmp_path
):
    config = of(
        config,
        {
            **NUMBERS,
            "classes": ("age", "height"),
            "model.auxiliary": {"label": 4},
            "model.dropouts": 2,
            "model.drop_rate": 0.1,
            "train.mixup": 0.4,
            "train.loss": {"binary_cross_entropy": 1.0},
        },
    )
    gaps = world.assign(label=world.label.where(world.index % 3 > 0))
    straight = run_once(gaps, config, tmp_path / "straight")
    run_once(gaps, config, tmp_path / "cut", SignalAt(3))
    resumed = run_once(gaps, config, tmp_path / "cut", resume=True)
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]
    oof = pd.read_parquet(straight.oof_file).set_index("image_id")
    held_out = world[world.fold == 0]
    known = held_out.set_index("image_id")
    np.testing.assert_allclose(oof.label_age, known.age[oof.index], rtol=1e-6)
    found = predict_classes([straight.best()], held_out, num_workers=0).set_index("image_id")
    expected = oof.loc[found.index, ["predicted_age", "predicted_height"]].to_numpy()
    np.testing.assert_allclose(found[["age", "height"]].to_numpy(), expected, rtol=1e-4)
    assert 150 < expected.mean() < 350  # in years and centimetres, not standardised
    score = np.sqrt(np.square(expected - known.loc[found.index, ["age", "height"]]).mean(None))
    best = straight.summary["metrics"]
    assert best["valid/rmse"] == pytest.approx(score, rel=1e-3)
    main, other = best["valid/loss_binary_cross_entropy"], best["valid/loss_auxiliary_label"]
    assert best["valid/loss"] == pytest.approx(main + 0.3 * other)
    assert oof.loss.mean() == pytest.approx(main)  # by which samples are ranked


def test_grades_train_are_looked_at_and_predicted_by_the_cuts_of_kit_oof(config, world, tmp_path):
    config = of(
        config, {**GRADES, **AUXILIARY, "log.looks": "all", "data.img_size": 64, "log.k": 4}
    )
    run = run_once(world, config, tmp_path / "grades")
    names = {path.name.split("_epoch")[0] for path in (run.folder / "figures").iterdir()}
    assert {"valid_confusion", "valid_distribution", "valid_activation_grid"} <= names
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    logged = {key for line in lines for key in line}
    assert {"train/loss_auxiliary_age", "valid/loss_auxiliary_label"} <= logged
    assert {"valid/auxiliary_age_mae", "valid/auxiliary_label_accuracy"} <= logged
    held_out = world[world.fold == 0]
    oof = pd.read_parquet(run.oof_file).set_index("image_id").loc[held_out.image_id]
    probs = oof[[f"prob_{grade}" for grade in config.classes]].to_numpy()
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-5)
    expected = probs @ np.arange(4)
    halves = predict_classes([run.best()], held_out, num_workers=0)
    assert (halves.columns[1:] == list(config.classes)).all()
    assert (halves[list(config.classes)].to_numpy().argmax(1) == np.round(expected)).all()
    cuts = np.quantile(expected, (0.2, 0.5, 0.7)).tolist()
    models = {"fold0": signature(load_checkpoint(run.best()))}
    kept = {"predict": {"grades": cuts}, "models": models}
    (tmp_path / "grades" / "decisions.json").write_text(json.dumps(kept))
    tuned = predict_classes([run.best()], held_out, num_workers=0)
    grades = np.searchsorted(cuts, expected + 1e-4)
    assert (tuned[list(config.classes)].to_numpy().argmax(1) == grades).mean() > 0.8
    assert not tuned.equals(halves)


def test_every_look_at_numbers_draws(config, world, tmp_path):
    update = {**NUMBERS, "log.breakdown": ("place",), "log.k": 4, "train.epochs": 1}
    config = of(config, {**update, "log.looks": "all", "data.img_size": 64})
    run = run_once(world, config, tmp_path)
    names = {path.name.split("_epoch")[0] for path in (run.folder / "figures").iterdir()}
    wanted = ("residuals", "distribution", "breakdown_place", "extremes_grid", "activation_grid")
    assert {f"valid_{name}" for name in wanted} <= names
    assert "valid_confusion" not in names
    page = (run.folder / "report.html").read_text()
    assert "Prediction against truth" in page


def learner_of(world, config):
    torch.manual_seed(0)
    loaders = fold_loaders(world, 0, config)
    return make_learner(make_classifier(config), *loaders, choose_metrics(config), config)


def test_scales_are_those_of_the_training_samples_alone(config, world):
    spoilt = world.assign(age=world.age.where(world.fold == 1, 1e6))  # of validation
    learner = learner_of(spoilt, of(config, NUMBERS))
    learnt = world.age[world.fold == 1]
    assert float(learner.model.scale.shift) == pytest.approx(learnt.mean(), rel=1e-6)
    assert float(learner.model.scale.width) == pytest.approx(learnt.std(ddof=0), rel=1e-5)


@pytest.mark.parametrize("update", [NUMBERS, GRADES, {**NUMBERS, "train.loss.mae": 1}])
def test_a_healthy_start_is_what_theory_says_and_a_batch_is_learnt_by_heart(config, world, update):
    config = of(config, {**update, **({} if "train.loss.mae" in update else AUXILIARY)})
    learner = learner_of(world, config)
    batches = on_device(learner, 12)
    findings = [*start_loss(learner, batches), one_batch(learner, batches[0], config)]
    assert [finding.status for finding in findings] == ["ok"] * len(findings), findings
    assert all("no theory" not in finding.found for finding in findings)


def test_unknown_auxiliary_labels_teach_nothing_whatever_they_are(config, world):
    config = of(config, {**GRADES, **AUXILIARY})
    learner = learner_of(world.assign(age=np.nan), config)
    batch = default_collate([learner.dls.train.dataset[row] for row in range(6)])
    model = learner.model.train()
    terms = learner.loss_func.per_sample(model(batch), batch)
    assert (terms["auxiliary_age"] == 0).all()
    assert (terms["auxiliary_label"] > 0).all()
    terms["auxiliary_age"].sum().backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())
    outputs = model.eval()(batch)
    assert outputs[auxiliary_logits("label")].shape == (6, 4)
    assert VALUES not in outputs
    assert outputs[LOGITS].exp().sum(1).allclose(torch.ones(6))


def test_mixed_pictures_mix_what_is_known_of_auxiliary_columns(config, world):
    config = of(config, {**GRADES, **AUXILIARY, "train.mixup": 1.0})
    gaps = world.assign(age=world.age.where(world.index % 4 > 0))
    learner = learner_of(gaps, config)
    learner.xb = (default_collate([learner.dls.train.dataset[row] for row in range(8)]),)
    before = learner.batch
    mix = Mix(1.0, 0.0, 4, config.model.auxiliary)
    mix.learn = learner
    mix.before_batch()
    key, shares = auxiliary_target("label"), learner.batch[auxiliary_target("age")][:, 1]
    torch.testing.assert_close(learner.batch[LABEL], learner.batch[key])  # one column, two roles
    assert learner.batch[key].sum(1).allclose(torch.ones(8))
    assert shares.sum() == pytest.approx(float(before[auxiliary_target("age")][:, 1].sum()))


WRONG = [
    ({"target": "regression", "multilabel": True}, {}, "target=classes with multilabel=true"),
    ({"target": "ordinal", "task": "detection"}, {}, "target=classes with task=detection"),
    ({**GRADES, "classes": ("0",)}, {}, "two grades or more"),
    (NUMBERS, {"age": "old"}, "a number in column 'age' of every row, row 3 .* has 'old'"),
    (NUMBERS, {"age": np.nan}, "a finite number in column 'age' of every row, row 3"),
    (NUMBERS, {"age": np.inf}, r"a finite number .*'3\.png'.* has 'inf'"),
    ({**NUMBERS, "classes": ("agge",)}, {}, "column 'agge' .* did you mean 'age'"),
    (GRADES, {"label": 4}, "a grade of 0 to 3 in column 'label' of every row, row 3"),
    ({**GRADES, "model.auxiliary": {"agge": 1}}, {}, "'agge' .* as model.auxiliary names it"),
    ({**NUMBERS, "model.auxiliary": {"label": 2}}, {}, "a class of 0 to 1, or nothing, in"),
    ({**NUMBERS, "metric": "accuracy"}, {}, "name of a regression metric, got 'accuracy'"),
    ({**NUMBERS, "train.loss.cross_entropy": 1}, {}, "train.loss of numbers; known|did you"),
    ({**NUMBERS, "train.loss": {"mse": 1, "binary_cross_entropy": 1}}, {}, "alone in train.loss"),
    ({**NUMBERS, "train.label_smoothing": 0.1}, {}, "cross entropy to smooth"),
    ({**GRADES, "model.head": "arcface"}, {}, "arcface, got target=ordinal"),
]


@pytest.mark.parametrize(("update", "cells", "said"), WRONG)
def test_what_cannot_be_is_refused_in_one_line(config, world, update, cells, said):
    spoilt = world.copy()
    for column, value in cells.items():
        spoilt[column] = spoilt[column].astype(object)
        spoilt.loc[3, column] = value
        if not isinstance(value, str):
            spoilt[column] = pd.to_numeric(spoilt[column])
    with pytest.raises(KitError, match=said) as caught:
        learner_of(spoilt, of(config, update))
    assert "\n" not in str(caught.value)


def test_auxiliary_heads_are_scored_in_their_units_where_the_truth_is_known():
    heads = AuxiliaryHeads(2, {"age": 1, "kind": 3})
    heads.scale("age").fit(torch.tensor([[10.0], [30.0]]))
    outputs = {
        auxiliary_logits("age"): torch.tensor([[0.0], [1.0], [5.0]]),
        auxiliary_logits("kind"): torch.tensor([[0.0, 2, 1], [3, 0, 0], [1, 0, 0]]),
    }
    batch = {
        auxiliary_target("age"): torch.tensor([[25.0, 1], [30.0, 1], [0.0, 0]]),
        auxiliary_target("kind"): torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0, 1]]),
    }
    found = heads.judge(outputs, batch)
    nan = float("nan")
    assert list(found) == ["auxiliary_age_mae", "auxiliary_kind_accuracy"]
    torch.testing.assert_close(
        torch.stack(list(found.values())),
        torch.tensor([[5.0, 0, nan], [1, nan, 0]]),
        equal_nan=True,
    )
