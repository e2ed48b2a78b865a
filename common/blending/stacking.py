"""A linear model on top: regularised logistic regression over what the members say."""

from typing import Any

import numpy as np

from common.inference.ways import log_odds

STRENGTH = 0.1  # inverse of the regularisation: little data, and members that agree


def features(predictions: np.ndarray) -> np.ndarray:
    """Return `(N, M x C)` log odds of `(M, N, C)` probabilities."""
    return log_odds(predictions).transpose(1, 0, 2).reshape(predictions.shape[1], -1)


def fit_stack(predictions: np.ndarray, target: np.ndarray) -> list[Any]:
    """Return one model of all classes, or one for each label of `(N, C)` targets.

    A label that is always there, or never, gets its constant instead.
    """
    from sklearn.linear_model import LogisticRegression

    columns = [target] if target.ndim == 1 else list((target > 0.5).T.astype(int))
    inputs = features(predictions)
    return [
        LogisticRegression(C=STRENGTH, max_iter=2000).fit(inputs, column)
        if len(np.unique(column)) > 1
        else int(column[0])
        for column in columns
    ]


def apply_stack(models: list[Any], predictions: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return `(N, C)` probabilities; a class that the model never saw gets 0."""
    inputs, num_classes = features(predictions), predictions.shape[2]
    if multilabel:
        return np.stack([_second(model, inputs) for model in models], 1)
    (model,), found = models, np.zeros((len(inputs), num_classes))
    if isinstance(model, int):
        found[:, model] = 1
    else:
        found[:, model.classes_] = model.predict_proba(inputs)
    return found


def describe(models: list[Any]) -> list[dict[str, Any]]:
    """Return plain values: coefficients over `features`, intercepts and classes; or a constant."""
    return [
        {"constant": model}
        if isinstance(model, int)
        else {
            "coefficients": model.coef_.tolist(),
            "intercepts": model.intercept_.tolist(),
            "classes": model.classes_.tolist(),
        }
        for model in models
    ]


def _second(model: Any, inputs: np.ndarray) -> np.ndarray:
    if isinstance(model, int):
        return np.full(len(inputs), float(model))
    return model.predict_proba(inputs)[:, 1]
