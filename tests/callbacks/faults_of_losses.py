"""Planted faults of losses of classification."""

import torch
import torch.nn.functional as F

from .anomaly_faults import INF, SICK, class_term, fault, only


@fault("log", task="classification", rows=(SICK,))
def log_of_zero(learner):
    def bad(logits, label):
        p = logits.softmax(1) * ~only(logits)
        return -p.log().mean(1)  # planted

    class_term(learner, bad)


@fault("sqrt", task="classification", rows=(SICK,), stage="backward")
def sqrt_at_zero(learner):
    def bad(logits, label):
        square = ((logits * ~only(logits)) ** 2).sum(1)
        return square.sqrt()  # planted

    class_term(learner, bad)


@fault("sqrt", task="classification", rows=(SICK,))
def sqrt_below_zero(learner):
    def bad(logits, label):
        x = torch.where(only(logits)[:, 0], -1.0, 1.0) * logits.exp().sum(1)
        return x.sqrt()  # planted

    class_term(learner, bad)


@fault("div", task="classification", rows=(SICK,))
def zero_over_zero(learner):
    def bad(logits, label):
        x = logits.abs().sum(1) * ~only(logits)[:, 0]
        return x / x  # planted

    class_term(learner, bad)


@fault("log", task="classification", rows=(SICK,))
def saturated_sigmoid(learner):
    def bad(logits, label):
        p = torch.sigmoid(logits + 200.0 * only(logits))
        return -(1 - p).log().mean(1)  # planted

    class_term(learner, bad)


@fault("log", task="classification", rows=(SICK,), stage="backward")
def where_hides_a_gradient(learner):
    def bad(logits, label):
        x = logits.exp() * ~only(logits)
        y = x.log()  # planted
        return torch.where(x > 0, y, 0.0).mean(1)

    class_term(learner, bad)


@fault("acos", task="classification", rows=(SICK,), stage="backward")
def acos_at_the_edge(learner):
    def bad(logits, label):
        cosine = torch.where(only(logits)[:, 0], 1.0 + 0 * logits[:, 0], 0.1 * logits[:, 0].tanh())
        return cosine.acos()  # planted

    class_term(learner, bad)


@fault("pow", task="classification", rows=(SICK,), stage="backward")
def root_of_a_norm(learner):
    def bad(logits, label):
        x = (logits * ~only(logits)).abs().sum(1)
        return x**0.25  # planted

    class_term(learner, bad)


@fault("sum", task="classification", rows=(SICK,))
def sum_in_fp16(learner):
    def bad(logits, label):
        values = torch.where(only(logits), 4e4, 1.0) * logits.sigmoid().clamp_min(0.9)
        return values.half().sum(1).float()  # planted

    class_term(learner, bad)


@fault("exp", task="classification", rows=(SICK,))
def exponential(learner):
    def bad(logits, label):
        return (logits + 100.0 * only(logits)).exp().mean(1)  # planted

    class_term(learner, bad)


@fault("cross_entropy", task="classification", rows=(1, 4), source="operand of shape (3,)")
def infinite_class_weight(learner):
    weight = torch.tensor([1.0, INF, 1.0])

    def bad(logits, label):
        return F.cross_entropy(logits, label, weight, reduction="none")  # planted

    class_term(learner, bad)


@fault("softmax", task="classification", rows=(SICK,))
def everything_masked(learner):
    def bad(logits, label):
        return logits.masked_fill(only(logits), -INF).softmax(1).mean(1)  # planted

    class_term(learner, bad)
