"""Images that grow: a pure function of the epoch, whole at the end, in workers too."""

import pytest
import torch

from common.data.build import fold_loaders
from common.data.growing import sides_of
from common.data.loaders import set_epoch
from common.errors import KitError
from common.keys import IMAGE
from common.models.classifier import make_classifier


@pytest.fixture
def growing(config):
    update = {"data.img_size": 128, "data.start_size": 48, "train.epochs": 8}
    return config.model_copy(update={**update, "data.augment": "medium"})


def test_sides_grow_to_the_whole(config, growing):
    sides = sides_of(growing)
    assert sides[0] == 48
    assert sides == sorted(sides)
    assert sides[6:] == [128, 128]
    assert len(sides) == 8
    assert sides_of(config) == []
    for epochs in (1, 2, 3, 5):
        assert sides_of(growing.model_copy(update={"train.epochs": epochs}))[-1] == 128


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_gives_the_epochs_side_and_goes_on_within_it(growing, colours, workers):
    config = growing.model_copy(update={"data.num_workers": workers})
    train, valid = fold_loaders(colours, 0, config)
    for epoch in (0, 3, 7, 9):
        set_epoch(train, epoch)
        whole = [batch[IMAGE] for batch in train]
        side = sides_of(config)[min(epoch, 7)]
        assert {tuple(image.shape[2:]) for image in whole} == {(side, side)}
        set_epoch(train, epoch, 1)
        for image, batch in zip(whole[1:], train, strict=True):
            assert torch.equal(image, batch[IMAGE])
    assert {tuple(batch[IMAGE].shape[2:]) for batch in valid} == {(128, 128)}


@pytest.mark.parametrize("update", [{"data.img_size": None}, {"data.start_size": 256}])
def test_what_cannot_grow_is_told(growing, colours, update):
    with pytest.raises(KitError, match=r"expected data\.start_size up to data\.img_size"):
        fold_loaders(colours, 0, growing.model_copy(update=update))


def test_a_network_of_one_size_is_told(growing):
    with pytest.raises(KitError, match="images of any size"):
        make_classifier(growing.model_copy(update={"model.name": "vit_tiny_patch16_224"}))
    update = {"model.name": "vit_tiny_patch16_224", "model.arguments": {"dynamic_img_size": True}}
    model = make_classifier(growing.model_copy(update=update))
    assert model({IMAGE: torch.zeros(1, 3, 64, 64, dtype=torch.uint8)})
