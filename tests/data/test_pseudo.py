"""Pseudo-labels in the training of a fold: whose they are, what they weigh, what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.callbacks.mix import weighted_share
from common.commands.check import pseudo_findings
from common.data.build import fold_loaders
from common.data.pseudo_file import check_test
from common.data.pseudo_table import folds_digest, pseudo_rows, surest
from common.errors import KitError
from common.keys import IMAGE_ID, LABEL, WEIGHT
from common.losses.classification import cross_entropy
from common.losses.terms import Loss, LossTerm

FOLD_LABELS = ("blue", "green", "red")  # what the model of each fold says of every test image


@pytest.fixture
def frame(colours):
    return colours[colours.index < 27].reset_index(drop=True)


@pytest.fixture
def test_images(colours):
    return colours[colours.index >= 27][["image_id", "path"]].reset_index(drop=True)


def table(frame, test_images, soft=False, classes=FOLD_LABELS) -> pd.DataFrame:
    """Each fold's model says one colour of all images, by which its labels are known."""
    parts = []
    for fold in range(3):
        probs = np.full((len(test_images), 3), 0.1)
        probs[:, fold] = 0.8
        rows = pseudo_rows(test_images, probs, classes, False, soft)
        parts.append(rows.assign(fold=fold, made_by=f"colours/base/fold{fold}"))
    return pd.concat(parts, ignore_index=True).assign(folds=folds_digest(frame))


@pytest.fixture
def loaders(frame, config, tmp_path):
    def make(rows, fold=1, frame=frame, **values):
        rows.to_parquet(tmp_path / "pseudo.parquet", index=False)
        update = {"data.pseudo": str(tmp_path / "pseudo.parquet"), "data.augment": "none", **values}
        return fold_loaders(frame, fold, config.model_copy(update=update))

    return make


def class_of(sample) -> int:
    label = sample[LABEL]
    return int(label.argmax()) if label.ndim else int(label)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_learns_from_labels_of_its_own_model_and_validates_on_none(
    frame, test_images, loaders, fold, soft
):
    train, valid = loaders(table(frame, test_images, soft), fold)
    seen = {s[IMAGE_ID]: s for s in (train.dataset[i] for i in range(len(train.dataset)))}
    true, names = frame[frame.fold != fold], set(test_images.image_id)
    assert set(seen) == set(true.image_id) | names
    # the other folds' models, who learnt from this fold's images, said other colours
    assert {class_of(seen[name]) for name in names} == {fold}
    for row in true.itertuples():
        assert class_of(seen[row.image_id]) == row.label
        assert float(seen[row.image_id][WEIGHT]) == 1
    held_out = set(frame[frame.fold == fold].image_id)
    ids = {name for batch in valid for name in batch[IMAGE_ID]}
    assert ids == held_out
    assert not held_out & set(seen)
    assert not any(WEIGHT in batch for batch in valid)


@pytest.mark.parametrize("soft", [False, True])
def test_images_of_several_labels_get_several(frame, test_images, loaders, soft):
    several = frame.assign(**{name: (frame.label == c) * 1.0 for c, name in enumerate(FOLD_LABELS)})
    probs = np.tile([0.9, 0.2, 0.8], (len(test_images), 1))
    rows = pseudo_rows(test_images, probs, FOLD_LABELS, True, soft)
    rows = rows.assign(fold=1, made_by="colours/base/fold1", folds=folds_digest(frame))

    def make(table):
        rows_of = table[table.columns[::-1]]  # columns are found by name
        return loaders(rows_of, multilabel=True, frame=several)

    labels = make(rows)[0].dataset.labels
    expected = torch.tensor([0.9, 0.2, 0.8] if soft else [1.0, 0.0, 1.0])
    torch.testing.assert_close(labels[-len(rows) :], expected.repeat(len(rows), 1))
    with pytest.raises(KitError, match="expected any number of classes per image"):
        make(table(frame, test_images))


def test_labels_of_another_folds_model_are_refused(frame, test_images, loaders):
    rows = table(frame, test_images)
    with pytest.raises(KitError, match=r"got those of folds \[0, 2\], which saw what fold 1"):
        loaders(rows[rows.fold != 1])
    with pytest.raises(KitError, match=r"by 'colours/base/fold2', which saw"):
        loaders(rows.assign(fold=rows.fold.replace({2: 1, 1: 2})))
    rows = table(frame.assign(fold=(frame.fold + 1) % 3), test_images)
    with pytest.raises(KitError, match=r"trained on others.*kit pseudo"):
        loaders(rows)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.assign(label="pink"), "labels of the classes 'blue', 'green', 'red'"),
        (lambda rows: rows.assign(image_id="000.jpg"), "have a true label: '000.jpg'"),
        (lambda rows: pd.concat([rows, rows]), "come twice"),
        (lambda rows: rows.assign(weight=-1.0), "expected weights from 0"),
        (lambda rows: rows.drop(columns="made_by"), "expected columns 'made_by'"),
        (lambda rows: rows.drop(columns="label"), "expected column 'label' or"),
        (lambda rows: rows.assign(label_blue=1), "expected one class per image"),
    ],
)
def test_wrong_tables_are_refused_with_a_remedy(frame, test_images, loaders, change, said):
    with pytest.raises(KitError, match=said) as caught:
        loaders(change(table(frame, test_images)))
    assert ";" in str(caught.value)


def test_a_test_set_that_changed_since_is_told(frame, test_images, config, tmp_path):
    rows, file = table(frame, test_images), tmp_path / "pseudo.parquet"
    rows.attrs = {"test_ids": test_images.image_id.tolist()}
    rows.to_parquet(file, index=False)
    assert check_test(file, test_images, config) == ""
    named = config.model_copy(update={"data.pseudo": str(file)})
    assert [one.status for one in pseudo_findings(test_images, named)] == ["ok"]
    assert pseudo_findings(test_images, config) == []
    assert [one.status for one in pseudo_findings(test_images[1:], named)] == ["problem"]
    other = pd.DataFrame({"image_id": ["new1", "new2"], "path": ["x.jpg", "y.jpg"]})
    told = check_test(file, pd.concat([test_images, other]), config)
    assert told.startswith("2 of 11 test images are new since")
    assert "'new1', 'new2'; make it anew: kit pseudo colours" in told
    (finding,) = pseudo_findings(pd.concat([test_images, other]), named)
    assert (finding.status, finding.found.count("kit pseudo")) == ("warning", 0)
    first = test_images.image_id[0]
    with pytest.raises(KitError, match=f"1 of 9 are not: '{first}'; the test set has changed"):
        check_test(file, test_images[1:], config)
    rows.assign(path="gone.jpg").to_parquet(file, index=False)
    with pytest.raises(KitError, match=r"1 files are gone: 'gone.jpg'; the data has moved"):
        check_test(file, test_images, config)


def test_soft_tables_hold_probabilities_of_these_classes(frame, test_images, loaders):
    with pytest.raises(KitError, match="expected labels of the classes"):
        loaders(table(frame, test_images, soft=True, classes=("blue", "green", "pink")))
    with pytest.raises(KitError, match=r"probabilities in 0\.\.1"):
        loaders(table(frame, test_images, soft=True).assign(prob_red=0.7))


def test_the_weight_rises_with_the_epochs(frame, test_images, loaders):
    values = {"data.pseudo_weight": 0.5, "data.pseudo_start": 2, "data.pseudo_ramp": 4}
    dataset = loaders(table(frame, test_images, soft=True), 0, **values)[0].dataset
    rises = []
    for epoch in range(8):
        dataset.set_epoch(epoch)
        rises.append(float(dataset[len(dataset) - 1][WEIGHT]))
        assert float(dataset[0][WEIGHT]) == 1
    assert rises == [0, 0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5]


def test_without_a_file_samples_are_as_ever(frame, config):
    train, _ = fold_loaders(frame, 1, config)
    assert all(WEIGHT not in batch for batch in train)


def test_weights_multiply_the_loss_of_each_sample():
    torch.manual_seed(0)
    logits, target = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3).softmax(1)
    weight = torch.tensor([1.0, 0.5, 0.0, 1.0, 0.25])
    loss = Loss([LossTerm("logits", LABEL, cross_entropy())])
    outputs, batch = {"logits": logits}, {LABEL: target}
    values = loss.per_sample(outputs, batch)["cross_entropy"]
    weighted = loss(outputs, {**batch, WEIGHT: weight})
    assert torch.equal(weighted, (values * weight).mean())
    weighted.backward()
    assert not logits.grad[2].any()
    assert torch.equal(loss(outputs, batch), values.mean())
    assert torch.equal(loss.samples["cross_entropy"], values.detach())  # as hard as it is


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1))
def test_mixed_samples_keep_their_own_weights(seed, share):
    torch.manual_seed(seed)
    logits, target = torch.randn(6, 4), torch.randn(6, 4).softmax(1)
    weight = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.3, 0.7])
    order, loss = torch.randperm(6), cross_entropy(0.1)
    kept, total = weighted_share(weight, order, share)
    mixed = torch.lerp(target[order], target, kept)
    apart = share * weight * loss(logits, target)
    apart = apart + (1 - share) * weight[order] * loss(logits, target[order])
    torch.testing.assert_close(total * loss(logits, mixed), apart, atol=1e-5, rtol=1e-5)


def test_unsure_soft_labels_are_drawn_as_their_likeliest_class(frame, test_images, loaders):
    rows = table(frame, test_images, soft=True)
    rows[[f"prob_{name}" for name in FOLD_LABELS]] = [0.45, 0.3, 0.25]
    train, _ = loaders(rows, **{"data.sampler": "balanced"})
    classes = train.dataset.labels.argmax(1)
    np.testing.assert_allclose(train.sampler.weights, 1 / classes.bincount()[classes].numpy())


def test_the_surest_are_kept():
    sure = np.array([0.5, 0.99, 0.9, 0.96])
    assert surest(sure, 0.9).tolist() == [1, 2, 3]
    assert surest(sure, 0, 0.5).tolist() == [1, 3]
    assert surest(sure, 0.97, 0.5).tolist() == [1]


def test_hard_labels_weigh_what_they_are_sure_of():
    images = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.png", "b.png"]})
    probs = np.array([[0.9, 0.1], [0.3, 0.8]])
    one = pseudo_rows(images, probs, ("x", "y"), False, False)
    assert one.label.tolist() == ["x", "y"]
    np.testing.assert_allclose(one.weight, [0.9, 0.8])
    several = pseudo_rows(images, probs, ("x", "y"), True, False)
    assert several[["label_x", "label_y"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(several.weight, [0.9, 0.7])
    soft = pseudo_rows(images, probs, ("x", "y"), True, True)
    np.testing.assert_allclose(soft[["prob_x", "prob_y"]], probs)
    assert soft.weight.tolist() == [1, 1]
