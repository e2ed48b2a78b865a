import copy
import pickle

import albumentations as A
import numpy as np
import pytest

from common.data.transforms import (
    Dihedral,
    compose,
    seed_transform,
    train_transforms,
    valid_transforms,
)
from common.errors import KitError
from common.keys import IGNORE

RECIPES = ["none", "flip", "dihedral", "light", "medium"]
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def draw(transform, *state, image=IMAGE) -> np.ndarray:
    seed_transform(transform, *state)
    return transform(image=image)["image"]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("img_size", [32, None])
def test_uint8_in_uint8_out_of_the_size_asked_for(recipe, img_size):
    transform = train_transforms(img_size, recipe)
    for index in range(8):
        image = draw(transform, 0, 0, index)
        assert image.dtype == np.uint8
        expected = {(32, 32, 3)} if img_size else {(48, 40, 3), (40, 48, 3)}
        assert image.shape in expected


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_picture_is_a_function_of_seed_epoch_and_index(recipe):
    first, second = train_transforms(32, recipe), train_transforms(32, recipe)
    states = [(seed, epoch, index) for seed in (0, 1) for epoch in (0, 5) for index in range(6)]
    forward = [draw(first, *state).tobytes() for state in states]
    backward = [draw(second, *state).tobytes() for state in reversed(states)]
    assert forward == backward[::-1]
    if recipe in ("light", "medium"):
        assert len(set(forward)) == len(states)


def test_nested_and_copied_transforms_follow_the_seed():
    def build():
        choice = A.OneOf([A.GaussNoise(p=1), A.CoarseDropout(fill="random", p=1)], p=0.9)
        return compose([A.SomeOf([choice, A.HorizontalFlip(p=0.5)], n=2), A.Compose([A.D4()])])

    one = build()
    draws = [draw(one, 3, 1, index) for index in range(10)]
    for other in (build(), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert all(np.array_equal(draw(other, 3, 1, index), draws[index]) for index in range(10))
    assert len({image.tobytes() for image in draws}) == 10


def test_single_transforms_and_functions_are_welcome():
    flip = A.HorizontalFlip(p=0.5)
    flips = [bool((draw(flip, 0, 0, index) != IMAGE).any()) for index in range(200)]
    assert 70 < sum(flips) < 130
    seed_transform(lambda image: {"image": image}, 0, 0, 0)


def test_the_same_share_of_draws_over_samples_and_over_epochs():
    transform = compose([A.HorizontalFlip(p=0.5), A.RandomCrop(8, 8)])
    for states in ([(0, 0, i) for i in range(300)], [(0, e, 7) for e in range(300)]):
        corners = [draw(transform, *state)[0, 0].tobytes() for state in states]
        assert len(set(corners)) > 200


@pytest.mark.parametrize("element", ["e", "r90", "r180", "r270", "v", "hvt", "h", "t"])
def test_dihedral_agrees_with_albumentations(element):
    for image in (IMAGE, IMAGE[..., 0], IMAGE[..., :1], np.dstack([IMAGE, IMAGE])):
        assert np.array_equal(Dihedral().apply(image, element), A.D4().apply(image, element))


def test_dihedral_draws_all_eight_and_moves_masks_along():
    transform, seen = compose([Dihedral()]), set()
    for index in range(80):
        seed_transform(transform, 0, 0, index)
        out = transform(image=IMAGE, mask=IMAGE[..., 0])
        assert np.array_equal(out["image"][..., 0], out["mask"])
        seen.add(out["image"].tobytes())
    assert len(seen) == 8


def test_validation_is_the_whole_image_and_deterministic():
    valid = valid_transforms(24)
    assert np.array_equal(draw(valid, 0, 0, 0), draw(valid, 9, 9, 9))
    assert np.array_equal(draw(valid, 0, 0, 0), draw(train_transforms(24, "none"), 5, 5, 5))
    assert draw(valid_transforms(None), 0, 0, 0) is IMAGE


@pytest.mark.filterwarnings("ignore:Argument")
def test_unknown_arguments_are_errors_not_warnings():
    with pytest.raises(KitError, match=r"GaussNoise, got 'std_rnge'; did you mean 'std_range'"):
        compose([A.GaussNoise(std_rnge=(0.1, 0.2))])
    with pytest.raises(KitError, match=r"CoarseDropout, got 'max_holes'"):
        compose([A.OneOf([A.HorizontalFlip(), A.CoarseDropout(max_holes=8)])])


def test_unknown_recipe_is_named():
    with pytest.raises(KitError, match="got 'mediun'; did you mean 'medium'"):
        train_transforms(32, "mediun")


@pytest.mark.parametrize("recipe", RECIPES)
def test_masks_move_along_and_what_is_unknown_stays_so(recipe):
    """No value is mixed of two, none is made up at a border, and a hole is unknown."""
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 20:40], mask[:, 40:] = 1, IGNORE
    levels = {0: 60, 1: 120, IGNORE: 190}
    image = np.repeat(np.vectorize(levels.get)(mask)[..., None], 3, 2).astype(np.uint8)
    transform = train_transforms(32, recipe)
    for index in range(30):
        seed_transform(transform, 3, 0, index)
        found = transform(image=image, mask=mask)
        said, grey = found["mask"], found["image"][..., 1].astype(float)
        assert set(np.unique(said)) <= set(levels)
        means = [grey[said == value].mean() for value in levels if (said == value).any()]
        if not (grey[said == IGNORE] == 0).any():  # without a hole
            assert means == sorted(means)
        assert (said[grey == 0] == IGNORE).all()
