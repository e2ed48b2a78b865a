"""Is the first loss what a network that knows nothing must have?"""

import math
from collections.abc import Sequence
from typing import Any

import torch

from common.data.audit.finding import Finding, ok, problem, warning
from common.learners.base import Learner
from common.learners.sanity.theory import Theory, theory_of

CHECK = "loss at start"


def start_loss(learner: Learner, batches: Sequence[dict[str, Any]]) -> list[Finding]:
    """Compare each term of the first loss with its theory; the model must be as it was made.

    In train mode, as the first step sees it: running means of a network with random weights know
    nothing yet.
    """
    terms = learner.loss_func.terms
    values: dict[str, list[torch.Tensor]] = {term.name: [] for term in terms}
    theories: dict[str, list[Theory]] = {term.name: [] for term in terms}
    learner.model.train()
    with torch.no_grad():
        for batch in batches:
            outputs = learner.model(batch)
            for name, losses in learner.loss_func.per_sample(outputs, batch).items():
                values[name].append(losses)
            for term in terms:
                theories[term.name] += filter(None, [theory_of(term, outputs, batch)])
    return [
        _judge(name, float(torch.cat(values[name]).mean()), _mean(theories[name]))
        for name in values
    ]


def _mean(theories: Sequence[Theory]) -> Theory | None:
    if not theories:
        return None
    numbers = [(theory.value, theory.least, theory.most) for theory in theories]
    value, least, most = (sum(column) / len(column) for column in zip(*numbers, strict=True))
    return Theory(value, theories[0].words, least, most)


def _judge(name: str, value: float, theory: Theory | None) -> Finding:
    if not math.isfinite(value):
        return problem(
            CHECK,
            f"{name}: {value}",
            "nothing can be learnt from it; look for a division by 0 or a logarithm of 0 in the "
            "loss or the metric's inputs, and at the pictures' range",
        )
    if theory is None:
        return ok(CHECK, f"{name}: {value:.3f} (no theory says what it should be)")
    said = f"{name}: {value:.3f}, {theory.words} is {theory.value:.3f}"
    if value > theory.most:
        return warning(
            CHECK,
            said,
            "the head is sure of what it cannot know: set its bias to 0 (or to the classes' log "
            "frequencies) and its weights small; and let the model normalise the pictures, once",
        )
    if value < theory.least:
        return warning(
            CHECK,
            said,
            "it knows what it cannot know: the weights have seen these labels, the input holds "
            "them, or the loss leaves samples out",
        )
    return ok(CHECK, said)
