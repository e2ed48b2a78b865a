"""Where two options of a training meet: each was tested alone, together they must be right too."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch.utils.data import default_collate

from common.callbacks.base import Callback
from common.callbacks.mix import Mix
from common.checkpoints import load_checkpoint
from common.data.loaders import collate, make_loader, with_batch_size
from common.keys import IMAGE, IMAGE_ID, INDEX, LABEL, LOGITS, WEIGHT, auxiliary_target
from common.losses.choose import classification_loss
from common.losses.regression import auxiliary_classes, auxiliary_number
from common.runs import hash_weights


class ValidationMemory(Callback):
    """A device that holds so many images of a validation, from some epoch on."""

    order = 20

    def __init__(self, images: int, epoch: int) -> None:
        self.images, self.epoch = images, epoch

    def after_pred(self):
        here = not self.learn.training and self.learn.epoch == self.epoch
        if here and len(self.learn.batch[IMAGE]) > self.images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_memory_that_ends_in_a_validation_costs_neither_average_nor_step(config, train):
    # three batches an epoch: the last one is a step of its own
    update = {"train.ema_decay": 0.9, "train.accumulate": 2, "train.halve_batch": True}
    config = config.model_copy(update={**update, "train.deterministic": True, "watch": ()})
    whole, halved = train(config, "whole"), train(config, "halved", ValidationMemory(4, epoch=1))
    one, other = (load_checkpoint(run.last) for run in (whole, halved))
    assert other["training"]["batch_size"] == 4
    for key in (lambda content: content["training"]["weights"], lambda content: content["weights"]):
        assert hash_weights(key(one)) == hash_weights(key(other))


def test_shares_of_classes_are_weighted_as_classes(config):
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    config = config.model_copy(update={"train.class_weights": "balanced"})
    shares = 0.7 * F.one_hot(labels, 3) + 0.1  # as soft pseudo-labels make them
    batch, outputs = {LABEL: labels}, {LOGITS: torch.randn(6, 3)}
    hard, soft = (classification_loss(config, one)(outputs, batch) for one in (labels, shares))
    torch.testing.assert_close(hard, soft)


def test_auxiliary_targets_of_a_mixed_sample_weigh_as_their_samples_do():
    torch.manual_seed(0)
    kind, age = auxiliary_target("kind"), auxiliary_target("age")
    batch = {
        IMAGE: torch.zeros(4, 3, 8, 8),
        LABEL: torch.tensor([0, 1, 2, 0]),
        WEIGHT: torch.tensor([1.0, 0.0, 0.5, 1.0]),
        kind: F.one_hot(torch.tensor([0, 1, 1, 0]), 2).float()
        * torch.tensor([1, 0, 1, 1])[:, None],
        age: torch.tensor([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0], [3.0, 1.0]]),  # or unknown
    }
    mix = Mix(1.0, 0.0, 3, ["kind", "age"])
    mix.learn = SimpleNamespace(batch=batch, set_batch=lambda mixed: setattr(mix, "mixed", mixed))
    drawn = torch.random.get_rng_state()
    mix.before_batch()
    torch.random.set_rng_state(drawn)
    share = float(torch.distributions.Beta(torch.tensor(1.0), torch.tensor(1.0)).sample())
    order, mixed = torch.randperm(4), mix.mixed
    alike = torch.full((4, 2), 0.3), torch.full((4, 1), 0.4)  # the same is said of all
    for key, term, said in (
        (kind, auxiliary_classes, alike[0]),
        (age, auxiliary_number(lambda value: value), alike[1]),
    ):
        own = term(said, batch[key]) * batch[WEIGHT]
        expected = share * own + (1 - share) * own[order]
        torch.testing.assert_close(term(said, mixed[key]) * mixed[WEIGHT], expected)


def test_batches_of_another_size_are_made_as_the_first_ones():
    samples = [{IMAGE: torch.zeros(3, 8, 8), INDEX: n, IMAGE_ID: str(n)} for n in range(6)]

    def mine(parts):
        return {**default_collate(list(parts)), "mine": True}

    settings = {"shuffle": False, "seed": 0, "num_workers": 0}
    loader = make_loader(samples, 4, collate_fn=mine, **settings)
    assert all("mine" in batch for batch in with_batch_size(loader, 2))
    plain = with_batch_size(make_loader(samples, 4, **settings), 2)
    assert plain.collate_fn is collate
