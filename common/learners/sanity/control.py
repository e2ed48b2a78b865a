"""The shuffled-label control: what is still learnt when labels are dealt out at random is a leak.

Zhang et al., "Understanding deep learning requires rethinking generalization", 2017: a network
learns random labels by heart, and nothing of that carries over, unless pictures hold their labels
or validation holds pictures that were trained on.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from common.data.audit.finding import Finding, ok, warning
from common.data.dataset import ImageDataset
from common.data.loaders import collate, set_epoch
from common.data.mask_dataset import MaskDataset
from common.errors import KitError
from common.learners.base import Learner, parameter_groups
from common.learners.sanity.chance import Chance, above_chance, deal
from common.learners.sanity.grids import vectors

STEPS, SECONDS = 200, 180.0  # of each of two trainings
SAMPLES, LEAST = 512, 12  # validation samples that are asked at most, and at least
ALARM = 0.002  # probability below which it is not chance
CHECK = "shuffled labels"
Units = Mapping[str, int]  # by image_id: what must get one label, being one thing


def shuffled_labels(
    make_learner: Callable[[], Learner],
    units: Units | None = None,
    steps: int = STEPS,
    seconds: float = SECONDS,
    seed: int = 0,
) -> Finding:
    """Train shortly on shuffled labels, and on the true ones to see whether it was long enough.

    Args:
        make_learner: a new one, with weights and data as at the start.
        units: duplicates, or images of one group, get one label between them, so that one in
            training tells on one in validation. Classification only.
    """
    chances = []
    for shuffled in (True, False):
        learner = make_learner()
        if shuffled:
            shuffle(learner.dls.train.dataset, learner.dls.valid.dataset, units or {}, seed)
        taken = _train(learner, steps, seconds)
        chance = _ask(learner, units or {}, seed)
        if chance is None:
            return ok(CHECK, f"not done: it takes {LEAST} validation pictures or more")
        chances.append(chance)
    said = f"{taken} steps: {_words(chances[0])}; with true labels {_words(chances[1])}"
    if chances[0].probability <= ALARM:
        return warning(
            CHECK,
            said,
            "labels leak: a transform, an overlay or a file's making tells them, or validation "
            "holds pictures that are trained on; see duplicates.csv, and the preview's corners",
        )
    weak = "" if chances[1].probability <= ALARM else " (too short to say much)"
    return ok(CHECK, said + weak)


def shuffle(train: Any, valid: Any, units: Units, seed: int) -> None:
    """Deal the targets of two datasets out at random: classes over both of them, by unit."""
    random = np.random.default_rng(seed)
    labels = [getattr(dataset, "labels", torch.empty(0)) for dataset in (train, valid)]
    if all(values is not None and len(values) for values in labels):
        order = donors(
            np.concatenate([_units(train, units), _units(valid, units, len(train))]), random
        )
        dealt = torch.cat(labels)[torch.from_numpy(order)]
        train.labels, valid.labels = dealt[: len(train)], dealt[len(train) :]
        return
    for dataset in (train, valid):
        if not hasattr(dataset, "deal_targets"):
            raise KitError(
                f"expected a dataset with deal_targets(order) for --deep, got "
                f"{type(dataset).__name__}; give it one, as common/data/dataset.py has"
            )
        dataset.deal_targets(deal(dataset.strata, random))


def donors(units: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return for each of N rows the row whose label it gets, the same for all of a unit."""
    codes = np.unique(units, return_inverse=True)[1]
    mixed = random.permutation(len(units))
    member = np.empty(codes.max() + 1, np.int64)
    member[codes[mixed]] = mixed  # some row of each unit
    return random.permutation(member)[codes]


def _units(dataset: ImageDataset, units: Units, offset: int = 0) -> np.ndarray:
    """Return `(N,)` the unit of each row; ids that are in none are units of their own."""
    ids = [dataset.image_id(row) for row in range(len(dataset))]
    return np.array([units.get(name, -1 - offset - row) for row, name in enumerate(ids)])


def _train(learner: Learner, steps: int, seconds: float) -> int:
    """Take short steps, then long, then short ones; return how many the time allowed."""
    model, done, epoch, begin = learner.model.train(), 0, 0, time.monotonic()
    optimiser = learner.opt_func(parameter_groups(model), lr=learner.lr).opt
    peaks = [group["lr"] for group in optimiser.param_groups]
    while True:
        set_epoch(learner.dls.train, epoch)
        for batch in learner.dls.train:
            share = max((done + 1) / steps, (time.monotonic() - begin) / seconds)
            if share > 1:
                return done
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * math.sin(math.pi * min(share, 1))
            optimiser.zero_grad()
            batch = learner._set_device(batch)
            learner.loss_func(learner.model(batch), batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            done += 1
        epoch += 1


@torch.no_grad()
def _ask(learner: Learner, units: Units, seed: int) -> Chance | None:
    """Compare predictions for some of the validation with its targets."""
    dataset = learner.dls.valid.dataset
    rows = _rows(dataset, units, np.random.default_rng(seed))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLES).astype(int))]
    if len(rows) < LEAST:
        return None
    size = learner.dls.valid.batch_size or 1
    loader = DataLoader(Subset(dataset, rows.tolist()), size, collate_fn=collate)
    learner.model.eval()
    parts = []
    for batch in loader:
        batch = learner._set_device(batch)
        part = vectors(learner.model(batch), batch)
        if part is None:
            return None
        parts.append(part)
    predictions, targets = (np.concatenate(column) for column in zip(*parts, strict=True))
    strata = dataset.strata[_picture(dataset, rows)]
    return above_chance(predictions - predictions.mean(0), targets, strata, seed)


def _rows(dataset: Any, units: Units, random: np.random.Generator) -> np.ndarray:
    """Return samples that are independent of each other: one of each unit, or of each picture."""
    if isinstance(dataset, MaskDataset):
        codes = _picture(dataset, np.arange(len(dataset)))
        middle = np.argsort(np.abs(np.arange(len(codes)) - _middle(codes)), kind="stable")
        return np.sort(middle[np.unique(codes[middle], return_index=True)[1]])
    if getattr(dataset, "labels", None) is None:
        return np.arange(len(dataset))
    mixed = random.permutation(len(dataset))  # not the first, which may always be of one class
    return np.sort(mixed[np.unique(_units(dataset, units)[mixed], return_index=True)[1]])


def _middle(codes: np.ndarray) -> np.ndarray:
    """Return for each window the number of its picture's middle one."""
    _, first, inverse, counts = np.unique(
        codes, return_index=True, return_inverse=True, return_counts=True
    )
    return (first + counts // 2)[inverse]


def _picture(dataset: Any, rows: np.ndarray) -> np.ndarray:
    """Return which row of the frame each sample is of."""
    return (
        np.array([dataset.row(row) for row in rows.tolist()]) if hasattr(dataset, "row") else rows
    )


def _words(chance: Chance) -> str:
    return f"{chance.deviations:+.1f} deviations from chance (p {chance.probability:.2g})"
