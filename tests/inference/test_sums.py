"""Blends that are predicted checkpoint by checkpoint: what kit blend scored comes out again."""

import numpy as np
import pytest

from common.blending import stacking
from common.blending.blends import ranks
from common.checkpoints import save_checkpoint
from common.errors import KitError
from common.inference.outcome import Outcome
from common.inference.plan import Plan, read_plan, write_plan
from common.inference.sums import Blended, fill
from common.inference.ways import combine, way_of

FOLDS = [2, 1, 3]  # checkpoints of each member
WEIGHTS = np.array([0.5, 0.2, 0.3])
HOWS = ("rank", "geometric", "power", "stack")


def probabilities(seed: int, *shape: int, several: bool = False) -> np.ndarray:
    """What members say of the same samples: the truth, which classes 0, 1, 2 take in turn, and
    noise; float32, as networks say it."""
    logits = 2 * np.eye(shape[-1])[np.arange(shape[-2]) % shape[-1]]
    logits = logits + np.random.default_rng(seed).normal(size=shape)
    said = 1 / (1 + np.exp(-logits)) if several else np.exp(logits)
    return (said if several else said / said.sum(-1, keepdims=True)).astype(np.float32)


def plan_of(how: str, several: bool, classes: int = 3, rows: int = 60) -> Plan:
    """A blend of three members, as `kit blend` makes it of `known` out-of-fold predictions."""
    known = [probabilities(k, rows, classes, several=several) for k in range(sum(FOLDS))]
    models: list = []
    if how == "stack":
        members = np.stack(known[: len(FOLDS)]).astype(float)
        target = np.arange(rows) % classes
        labels = np.eye(classes, dtype=int)[target]
        if several:
            labels[:, -1] = 0  # a label that is never there
        models = stacking.describe(stacking.fit_stack(members, labels if several else target))
    lists = [np.sort(one, axis=0).astype(float) for one in known]
    return Plan(how, FOLDS, WEIGHTS, several, 2.0, models, lists if how == "rank" else ())


def predict(plan: Plan, said: np.ndarray, checkpoints: int | None = None) -> tuple:
    """Sum `(K, N, C)` checkpoint by checkpoint, batch by batch, only the first few if told."""
    outcome = Outcome()
    sums = Blended(plan, outcome)
    sums.begin(said.shape[1], said.shape[2])
    for number in range(checkpoints or len(said)):
        for rows in np.array_split(np.arange(said.shape[1]), 4):
            sums.add(number, rows, said[number, rows])
    total, there = sums.finish()
    return fill(total, ~there, 0.0), outcome.given_up


def members_of(plan: Plan, said: np.ndarray) -> np.ndarray:
    """`(M, N, C)`: the mean of each member's folds."""
    said = said.astype(float)
    if plan.how == "rank":
        said = np.stack(
            [ranks(np.concatenate([s, k]), np.zeros(len(s) + len(k)))[: len(s)]
             for s, k in zip(said, plan.known, strict=True)]
        )  # fmt: skip
    parts = np.split(said, np.cumsum(FOLDS)[:-1])
    return np.stack([part.mean(0) for part in parts])


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("how", ["geometric", "power", "stack"])
def test_sums_of_checkpoints_are_the_blend_of_the_members(how, several, tmp_path):
    write_plan(plan_of(how, several), tmp_path / "blend.pt")
    plan = read_plan("blend.pt", [tmp_path / f"{k}.pt" for k in range(sum(FOLDS))])
    said = probabilities(9, sum(FOLDS), 40, 3, several=several)
    members = members_of(plan, said)
    if how == "stack":
        known = np.stack([probabilities(k, 60, 3, several=several) for k in range(3)]).astype(float)
        target = np.arange(60) % 3
        labels = np.eye(3, dtype=int)[target] * [1, 1, 0]
        models = stacking.fit_stack(known, labels if several else target)
        expected = stacking.apply_stack(models, members, several)
    else:
        expected = combine(way_of(how, several, 2.0), members, WEIGHTS)
    found, told = predict(plan, said)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert told == []


def test_of_two_classes_the_stack_is_one_model():
    plan = plan_of("stack", False, classes=2)
    said = probabilities(9, sum(FOLDS), 30, 2)
    known = np.stack([probabilities(k, 60, 2) for k in range(3)]).astype(float)
    models = stacking.fit_stack(known, np.arange(60) % 2)
    expected = stacking.apply_stack(models, members_of(plan, said), False)
    np.testing.assert_allclose(predict(plan, said)[0], expected, atol=1e-6)


def test_what_was_out_of_fold_gets_its_own_rank_again():
    plan = plan_of("rank", False)._replace(folds=[1, 1, 1], known=plan_of("rank", False).known[:3])
    said = np.stack([probabilities(k, 60, 3) for k in range(3)])
    found, _ = predict(plan, said)
    alone = np.stack([ranks(one.astype(float), np.zeros(60)) for one in said])
    np.testing.assert_allclose(found, combine(way_of("rank", False), alone, WEIGHTS), rtol=1e-6)


def test_new_ranks_keep_the_order_and_know_no_neighbour():
    plan = plan_of("rank", False)
    said = probabilities(9, sum(FOLDS), 40, 3)
    found, _ = predict(plan, said)
    assert ((found > 0) & (found < 1)).all()
    half, _ = predict(plan, said[:, :20])
    np.testing.assert_array_equal(found[:20], half)  # the other test images change nothing
    better = said.copy()
    better[:, 7, 0] = 1
    assert predict(plan, better)[0][7, 0] > found[:, 0].max()


@pytest.mark.parametrize("how", HOWS)
def test_a_member_that_is_dropped_leaves_the_blend_of_the_others(how):
    plan, said = plan_of(how, False), probabilities(9, sum(FOLDS), 40, 3)
    found, told = predict(plan, said, checkpoints=3)  # the third member has none
    assert np.isfinite(found).all()
    two = plan._replace(folds=FOLDS[:2], weights=WEIGHTS[:2] / 0.7, known=plan.known[:3])
    if how == "stack":
        two = two._replace(how="mean")
        assert told[0].endswith("and get their mean in place of the stack")
    else:
        assert told == ["40 images lack a member of the blend and get the blend of the others"]
    np.testing.assert_allclose(found, predict(two, said[:3])[0], atol=1e-6)
    some, told = predict(plan, said, checkpoints=4)  # of the third member one fold of three
    assert told == []
    assert np.isfinite(some).all()


def test_images_without_any_prediction_get_the_mean_of_the_others():
    plan, said = plan_of("geometric", False), probabilities(9, sum(FOLDS), 40, 3)
    sums = Blended(plan, Outcome())
    sums.begin(40, 3)
    for number in range(len(said)):
        sums.add(number, np.arange(1, 40), said[number, 1:])
    total, there = sums.finish()
    found = fill(total, ~there, 0.0)
    np.testing.assert_allclose(found[0], found[1:].mean(0), rtol=1e-5)


def test_a_plan_of_other_checkpoints_is_refused(tmp_path):
    write_plan(plan_of("geometric", False), tmp_path / "blend.pt")
    save_checkpoint(tmp_path / "a.pt", {"weights": {}})
    for name, count, telling in (
        ("blend.pt", 5, "expected the 6 checkpoints"),
        ("no.pt", 6, "is none"),
        ("a.pt", 6, "is another kind"),
    ):
        with pytest.raises(KitError, match=telling):
            read_plan(name, [tmp_path / "a.pt"] * count)
