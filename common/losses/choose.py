"""From names in `train.loss` to the terms of a classifier's loss."""

from typing import Any

from torch import Tensor

from common.config import Config
from common.environment import device as find_device
from common.errors import KitError, did_you_mean
from common.keys import LABEL, LOGITS, LOGITS_DROPPED, auxiliary_logits, auxiliary_target
from common.losses import regression
from common.losses.class_weights import balanced_weights
from common.losses.classification import (
    ClassLoss,
    asymmetric,
    binary_cross_entropy,
    cross_entropy,
    focal,
    over_masks,
)
from common.losses.terms import Loss, LossTerm

AUXILIARY = "auxiliary_"  # prefix of a term, followed by the column
AUXILIARY_WEIGHT = 0.3  # of such a term that train.loss does not name
VALUE_LOSSES = {
    "mse": regression.squared_error,
    "smooth_l1": regression.smooth_absolute_error,
    "mae": regression.absolute_error,
    "binary_cross_entropy": regression.bounded_cross_entropy,
}


def classification_loss(config: Config, labels: Tensor | None = None, model: Any = None) -> Loss:
    """Return the terms of `train.loss`; without any the target's usual one, and auxiliary ones.

    Args:
        config: says which terms, and whether classes are weighted.
        labels: of the training samples, for weights.
        model: whose scales the terms of numbers read; needed where there are such.
    """
    known = _terms(config, labels, model)
    others = {AUXILIARY + column: AUXILIARY_WEIGHT for column in config.model.auxiliary}
    named = config.train.loss
    _check_names(config, [*known, *others], named)
    main = {name: weight for name, weight in named.items() if name not in others}
    main = main or {next(iter(known)): 1.0}
    _check_smoothing(config, list(main))
    terms = [_term(config, name, known[name], weight) for name, weight in main.items()]
    return Loss([*terms, *_auxiliary_terms(config, {**others, **named}, model)])


def _terms(config: Config, labels: Tensor | None, model: Any) -> dict[str, ClassLoss]:
    train = config.train
    if config.kind == "regression":
        return {name: make(model.scale.inside) for name, make in VALUE_LOSSES.items()}
    weights = _class_weights(config, labels)
    if config.multilabel:
        return {
            "binary_cross_entropy": binary_cross_entropy(train.label_smoothing, weights),
            "focal": focal(train.focal_gamma, multilabel=True, weights=weights),
            "asymmetric": asymmetric(*train.asymmetric_gamma, weights=weights),
        }
    return {
        "cross_entropy": cross_entropy(train.label_smoothing, weights),
        "focal": focal(train.focal_gamma, weights=weights),
    }


def _check_names(config: Config, known: list[str], named: dict[str, float]) -> None:
    for name in named:
        if name not in known:
            several = "several labels per image" if config.multilabel else "one class per image"
            kind = "numbers" if config.kind == "regression" else several
            raise KitError(
                f"unknown term '{name}' in train.loss of {kind}; {did_you_mean(name, known)}"
            )
    if config.kind == "regression" and "binary_cross_entropy" in named:
        others = sorted(set(named) & set(VALUE_LOSSES) - {"binary_cross_entropy"})
        if others:
            raise KitError(
                "expected binary_cross_entropy alone in train.loss of numbers, which it squeezes "
                f"into 0..1, got {', '.join(others)} beside it; take one of them out"
            )


def _check_smoothing(config: Config, chosen: list[str]) -> None:
    known = config.kind != "regression" and any("cross_entropy" in name for name in chosen)
    if config.train.label_smoothing and not known:
        raise KitError(
            f"expected a cross entropy to smooth the labels of, got train.loss of {chosen}; "
            "set train.label_smoothing=0"
        )


def _term(config: Config, name: str, function: ClassLoss, weight: float) -> LossTerm:
    if config.model.head == "arcface":  # scale and margin rule its value before training
        function.__name__ = f"arcface_{function.__name__}"
    if config.model.dropouts > 1:
        return LossTerm(LOGITS_DROPPED, LABEL, over_masks(function), weight, name)
    return LossTerm(LOGITS, LABEL, function, weight, name)


def _auxiliary_terms(config: Config, weights: dict[str, float], model: Any) -> list[LossTerm]:
    terms = []
    for column, count in config.model.auxiliary.items():
        number = count == 1
        function = (
            regression.auxiliary_number(model.auxiliary.scale(column).inside)
            if number
            else regression.auxiliary_classes
        )
        keys, name = (auxiliary_logits(column), auxiliary_target(column)), AUXILIARY + column
        terms.append(LossTerm(*keys, function, weights[name], name, auxiliary=True))
    return terms


def _class_weights(config: Config, labels: Tensor | None) -> Tensor | None:
    if config.train.class_weights == "none":
        return None
    if labels is None:
        raise KitError(
            "expected training samples with labels for train.class_weights=balanced, got none; "
            "give the loss the labels, or set it to none"
        )
    if labels.ndim == 2 and not config.multilabel:  # shares, where pseudo-labels are soft
        labels = labels.argmax(1)
    return balanced_weights(labels.cpu(), len(config.classes)).to(find_device())
