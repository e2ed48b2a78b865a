"""Laws of weighted draws: counts, purity in seed and epoch, resumes, augmentation of repeats."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.build import fold_loaders
from common.data.dataset import ImageDataset
from common.data.loaders import EpochSampler, make_loader, set_epoch, with_batch_size
from common.data.sampling import Turn, sample_weights, turns
from common.data.transforms import train_transforms
from common.keys import IMAGE, INDEX, LABEL

quick = settings(max_examples=40, deadline=None)
positive = st.lists(st.floats(0.01, 100), min_size=1, max_size=60)


def sampler_of(weights, seed=0, epoch=0, start=0) -> EpochSampler:
    sampler = EpochSampler(len(weights), True, seed, np.asarray(weights, float))
    sampler.set_epoch(epoch, start)
    return sampler


@quick
@given(positive, st.integers(0, 5), st.integers(0, 5), st.integers(0, 70))
def test_an_order_is_a_function_of_seed_and_epoch_and_can_begin_anywhere(w, seed, epoch, start):
    whole, again = sampler_of(w, seed, epoch), sampler_of(w, seed, epoch + 1)
    list(again)
    again.set_epoch(epoch, start)
    assert list(again) == list(whole)[start:]
    assert [getattr(i, "turn", 0) for i in again] == [getattr(i, "turn", 0) for i in whole][start:]
    assert len(again) == len(list(again))


@quick
@given(positive, st.integers(0, 5))
def test_counts_are_the_expected_ones_rounded_up_or_down(w, seed):
    counts = np.bincount(sampler_of(w, seed).order(), minlength=len(w))
    expected = np.array(w) / np.sum(w) * len(w)
    assert counts.sum() == len(w)
    assert (counts >= np.floor(expected - 1e-6)).all()
    assert (counts <= np.ceil(expected + 1e-6)).all()


@pytest.mark.parametrize("n", [1, 7, 1000])
@pytest.mark.parametrize("weight", [1.0, 0.1, 3e-7])
def test_equal_weights_draw_each_once(n, weight):
    assert sorted(sampler_of([weight] * n, 3).order()) == list(range(n))


def test_seeds_and_epochs_differ():
    weights = np.linspace(1, 2, 100)
    orders = {tuple(sampler_of(weights, s, e).order()) for s in range(3) for e in range(3)}
    assert len(orders) == 9


def test_every_sample_has_its_share_over_many_epochs():
    weights = np.array([1.0, 1, 1, 1, 6])
    counts = sum(np.bincount(sampler_of(weights, 0, e).order(), minlength=5) for e in range(2000))
    np.testing.assert_allclose(counts / 2000, weights / weights.sum() * 5, atol=0.05)


def test_balanced_draws_classes_alike_and_sqrt_goes_half_the_way():
    labels = np.array([0] * 64 + [1] * 16 + [2] * 4)
    shares = {}
    for kind in ("balanced", "sqrt"):
        weights = sample_weights(labels, kind)
        shares[kind] = np.bincount(labels, weights) / weights.sum()
        drawn = np.bincount(labels[sampler_of(weights).order()])
        np.testing.assert_allclose(drawn, shares[kind] * len(labels), atol=1)
    np.testing.assert_allclose(shares["balanced"], 1 / 3)
    np.testing.assert_allclose(shares["sqrt"], np.array([8, 4, 2]) / 14)
    assert sample_weights(labels, "none") is None


def test_labels_of_which_there_is_one_each_weigh_as_classes_do():
    classes = np.array([0] * 8 + [1] * 2 + [2] * 1)
    hot = np.eye(3, dtype=np.float32)[classes]
    for kind in ("balanced", "sqrt"):
        np.testing.assert_allclose(sample_weights(hot, kind), sample_weights(classes, kind))
    nothing = np.zeros((4, 3), np.float32)
    weights = sample_weights(np.concatenate([hot, nothing]), "balanced")
    np.testing.assert_allclose(weights[-4:], 1 / 4)


def test_a_turn_is_an_int_and_survives_the_way_to_a_worker():
    found = turns(np.array([4, 2, 4, 4]))
    assert found == [4, 2, 4, 4]
    assert [getattr(i, "turn", 0) for i in found] == [0, 0, 1, 2]
    assert [type(i) for i in found[:2]] == [int, int]
    for copied in (pickle.loads(pickle.dumps(found[3])), copy.copy(found[3])):
        assert isinstance(copied, Turn)
        assert (copied, copied.turn) == (4, 2)


def test_a_repeat_is_augmented_anew_and_the_first_as_ever(colours):
    dataset = ImageDataset(colours, train_transforms(32, "medium"), seed=1)
    first, again, third = (dataset[i][IMAGE] for i in (5, Turn(5, 1), Turn(5, 2)))
    assert torch.equal(first, dataset[5][IMAGE])
    assert torch.equal(again, dataset[Turn(5, 1)][IMAGE])
    assert not torch.equal(first, again)
    assert not torch.equal(again, third)
    sample = dataset[Turn(5, 1)]
    assert sample[INDEX] == 5
    assert sample[LABEL] == dataset[5][LABEL]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_where_it_was_and_keeps_its_draw_in_other_batches(colours, workers):
    dataset = ImageDataset(colours, train_transforms(8, "medium"), seed=1)
    weights = sample_weights(np.minimum(colours.label.to_numpy(), 1), "balanced")
    loader = make_loader(
        dataset, 6, shuffle=True, seed=1, num_workers=workers, drop_last=True, weights=weights
    )
    set_epoch(loader, 2)
    whole = [(b[INDEX], b[IMAGE]) for b in loader]
    set_epoch(loader, 2, 2)
    for (index, image), batch in zip(whole[2:], loader, strict=True):
        assert torch.equal(index, batch[INDEX])
        assert torch.equal(image, batch[IMAGE])
    smaller = with_batch_size(loader, 3)
    set_epoch(smaller, 2)
    assert torch.equal(torch.cat([b[INDEX] for b in smaller]), torch.cat([i for i, _ in whole]))


def test_the_config_balances_training_and_leaves_validation_alone(config, colours):
    frame: pd.DataFrame = colours[colours.index % 18 < 18 - 9 * colours.label + 3]
    config = config.model_copy(update={"data.sampler": "balanced", "train.batch_size": 1})
    train, valid = fold_loaders(frame, 0, config)
    drawn = torch.cat([batch[LABEL] for batch in train]).bincount()
    assert drawn.max() - drawn.min() <= 1
    assert train.dataset.labels.bincount().tolist() != drawn.tolist()
    assert torch.cat([b[INDEX] for b in valid]).tolist() == list(range(len(valid.dataset)))
