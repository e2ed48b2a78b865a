"""The worst and the best are what sorting everything says, kept in little memory, NaN apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.callbacks.looks.collected import Album, TrainSteps, split_batches, worst_of
from common.callbacks.looks.extremes import Extremes
from common.callbacks.looks.ranking import Ranked, Ranking, apart, rank_batches
from common.callbacks.looks.sample_look import VIEWS, title
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.errors import KitError
from common.keys import IMAGE, INDEX, LABEL, LOSS
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier

VALUES = st.lists(
    st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(allow_nan=True, allow_infinity=True)),
    min_size=1,
    max_size=60,
)


def ranked(values) -> Ranked:
    badness = np.array(values, float)
    return Ranked(badness, badness, np.arange(len(badness)))


@given(VALUES, st.integers(1, 16))
def test_extremes_are_those_of_a_full_sort_and_nothing_infinite_is_among_them(values, k):
    finite = sorted(v for v in values if np.isfinite(v))
    chosen = ranked(values).extremes(k)
    few = max(k // 4, 1)
    assert [values[row] for row in chosen.worst] == finite[::-1][: max(k // 2, 1)]
    assert [values[row] for row in chosen.best] == finite[:few]
    broken = [row for row, v in enumerate(values) if not np.isfinite(v)]
    assert chosen.broken.tolist() == broken[:few]
    both = apart(chosen, len(finite))
    assert not set(both.worst.tolist()) & set(both.best.tolist())


@given(VALUES, st.integers(1, 16), st.integers(1, 7), st.randoms())
def test_an_album_keeps_all_that_is_shown_in_the_end_and_little_else(values, k, size, random):
    everything, order = ranked(values), list(range(len(values)))
    random.shuffle(order)
    arrived = everything.take(np.array(order))
    album, kept = Album(k), set()
    for start in range(0, len(order), size):
        batch = arrived.take(np.arange(start, min(start + size, len(order))))
        kept = (kept | set(batch.number.tolist())) & album.add(batch)
        assert len(kept) <= k + 2 + 6 * (k + 1)
    shown = {int(arrived.number[row]) for rows in arrived.extremes(k) for row in rows}
    sizes = [min(size, len(order) - start) for start in range(0, len(order), size)]
    for batch in split_batches(arrived, sizes, k).values():
        shown |= {int(arrived.number[row]) for row in batch.members}
    assert shown <= kept


def test_a_batch_counts_by_its_mean_and_one_with_nan_is_apart():
    samples = ranked([1, 5, 3, 3, np.nan, 9, 0])
    assert rank_batches(samples, [2, 2, 2, 1]).badness.tolist()[:2] == [3, 3]
    found = split_batches(samples, [2, 2, 2, 1], k=4)
    assert {name: batch.number for name, batch in found.items()} == {
        "worst": 0,  # of equals the first
        "best": 3,
        "broken": 2,
    }
    assert found["broken"].members.tolist() == [4, 5]
    assert found["worst"].members.tolist() == [1, 0]
    assert worst_of(samples, 3).tolist() == [4, 5, 1]


def test_training_steps_are_read_once_in_their_order():
    steps = TrainSteps()
    assert len(steps.read().number) == 0
    steps.add(torch.tensor([4, 2]), torch.tensor([1.0, 2.0]), torch.tensor([3.0, np.nan]))
    steps.add(torch.tensor([1]), torch.tensor([7.0]), torch.tensor([8.0]))
    found = steps.read()
    assert steps.sizes == [2, 1]
    assert found.number.tolist() == [4, 2, 1]
    np.testing.assert_array_equal(found.badness, [1, np.nan, 7])  # its loss is not finite


def test_ranking_by_a_name_that_nobody_has_names_those_there_are(config):
    ranking = Ranking("los", VIEWS["classification"](config))
    with pytest.raises(KitError, match=r"unknown log.rank_by 'los'; did you mean 'loss'\?"):
        ranking.check(["cross_entropy"])
    segmentation = config.model_copy(update={"task": "segmentation"})
    Ranking("iou", VIEWS["segmentation"](segmentation)).check(["bce"])
    Ranking("bce", VIEWS["segmentation"](segmentation)).check(["bce"])


def test_a_title_says_id_truth_prediction_and_loss():
    row = {"image_id": "a", "truth": "cat", "prediction": "dog", "probability": 0.9, "loss": 2.345}
    assert title(row) == "a | cat → dog (0.90) | loss 2.35"
    assert title({"image_id": "b", "truth": "3 boxes", "loss": 1.0}) == "b | 3 boxes | loss 1.00"


@pytest.fixture
def trained(config, colours):
    """Return a function that trains with the look and gives logger and learner."""

    def train(frame=colours, poison=(), **update):
        changed = config.model_copy(update={"log.k": 8, "train.epochs": 3, **update})
        seed_everything(changed.train.seed)
        loaders = fold_loaders(frame, 0, changed)
        learner = make_learner(make_classifier(changed), *loaders, [], changed)
        look = Extremes(changed, RecordingLogger())
        learner.add_cb(look)
        real = learner.loss_func.terms[0].function

        def function(output, target):
            loss = real(output, target)
            return torch.where(torch.isin(learner.batch[INDEX], torch.tensor(poison)), np.nan, loss)

        if poison:
            object.__setattr__(learner.loss_func.terms[0], "function", function)
        learner.fit(changed.train.epochs, 3e-3)
        return look.logger, learner

    return train


def test_a_planted_wrong_label_surfaces_in_training_and_validation(trained, colours):
    wrong = colours.copy()
    for fold in (0, 1):
        row = wrong.index[wrong["fold"] == fold][0]
        wrong.loc[row, LABEL] = (wrong.loc[row, LABEL] + 1) % 3
    logger, _ = trained(wrong, **{"train.epochs": 6})
    for split, fold in (("valid", 0), ("train", 1)):
        table = logger.of("table", f"{split}/extremes")[-1]["rows"]
        worst = [row["image_id"] for row in table if row["why"] == "worst"]
        assert worst[0] == wrong[wrong["fold"] == fold]["image_id"].iloc[0]
        losses = [row["loss"] for row in table if row["why"] == "worst"]
        assert losses == sorted(losses, reverse=True)
        assert {row["why"] for row in table} == {"worst", "best"}


def test_training_samples_are_shown_as_the_model_saw_them(trained, colours):
    seen = {}

    logger, learner = trained(**{"train.epochs": 1, "data.augment": "dihedral"})
    loader = learner.dls.train
    for index in range(len(loader.dataset)):
        sample = loader.dataset[index]
        seen[loader.dataset.image_id(index)] = sample[IMAGE].permute(1, 2, 0).numpy()
    for row in logger.of("table", "train/extremes")[-1]["rows"]:
        np.testing.assert_array_equal(row["image"], seen[row["image_id"]])


def test_what_is_not_finite_is_shown_apart_and_ranks_nothing(trained):
    logger, learner = trained(poison=[1, 3], **{"train.lr": 1e-6})
    table = logger.of("table", "valid/extremes")[-1]["rows"]
    apart_ids = [row["image_id"] for row in table if row["why"] == "not finite"]
    dataset = learner.dls.valid.dataset
    assert apart_ids[: len(apart_ids)] == [dataset.image_id(i) for i in (1, 3)][: len(apart_ids)]
    assert len(apart_ids) == 2
    ranks = [row["loss"] for row in table if row["why"] != "not finite"]
    assert np.isfinite(ranks).all()
    assert len(learner.evaluation[LOSS]) == 12
