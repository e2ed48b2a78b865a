"""One checkpoint from several of the same network: the mean of their weights (a soup).

Wortsman et al., "Model soups", 2022: networks fine-tuned from the same start lie in one valley,
and their mean predicts about as well as their ensemble at the cost of one. From different starts it
does not: score the soup before trusting it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from common.checkpoints import load_checkpoint, save_checkpoint
from common.config import Config, flatten
from common.errors import KitError

SAME = ("model", "classes", "task", "multilabel", "target")  # of the config, so that one fits all


def make_soup(checkpoints: Sequence[Path], out: Path) -> Path:
    """Write the mean of two or more checkpoints to `out`; all else is the first one's.

    Thresholds are averaged as well. What is no float (counts of batches) is the first one's.
    Statistics of batch norms are averaged; `kit soup` computes them anew instead.

    Raises:
        KitError: fewer than two, other networks or classes, or a value that is not finite.
    """
    contents = read_ingredients(checkpoints)
    weights = mean_weights([content["weights"] for content in contents], checkpoints)
    known = [content.get("thresholds") or {} for content in contents]
    shared = set.intersection(*(set(one) for one in known))
    thresholds = {key: sum(one[key] for one in known) / len(known) for key in sorted(shared)}
    kept = {key: value for key, value in contents[0].items() if key not in ("format", "training")}
    sources = [str(path) for path in checkpoints]
    save_checkpoint(out, {**kept, "weights": weights, "thresholds": thresholds, "soup": sources})
    return out


def read_ingredients(checkpoints: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the contents of two or more checkpoints, of one network as far as configs say.

    Raises:
        KitError: fewer than two, or other networks or classes.
    """
    if len(checkpoints) < 2:
        raise KitError(f"expected two checkpoints or more to average, got {len(checkpoints)}")
    contents = [load_checkpoint(path) for path in checkpoints]
    for path, content in zip(checkpoints, contents, strict=True):
        _check_same(contents[0], content, path)
    return contents


def mean_weights(
    weights: Sequence[Mapping[str, Tensor]], names: Sequence[object]
) -> dict[str, Tensor]:
    """Return the mean of state dicts, summed in float64; buffers of floats are averaged, too.

    A running variance is averaged like the rest, which leaves out how far the means lie apart.

    Raises:
        KitError: other names or shapes, or a value that is not finite.
    """
    first = weights[0]
    for name, one in zip(names, weights, strict=True):
        shapes = [{key: tuple(value.shape) for key, value in w.items()} for w in (first, one)]
        differ = [k for k in shapes[0] | shapes[1] if shapes[0].get(k) != shapes[1].get(k)]
        if differ:
            key = differ[0]
            raise KitError(
                f"expected the weights of '{names[0]}' in '{name}', {len(differ)} differ: '{key}' "
                f"has {shapes[1].get(key, 'none')} instead of {shapes[0].get(key, 'none')}; "
                "average checkpoints of one network"
            )
        broken = [k for k, v in one.items() if v.is_floating_point() and not v.isfinite().all()]
        if broken:
            raise KitError(f"expected finite weights, '{name}' has others in '{broken[0]}'")
    return {key: _mean([one[key] for one in weights]) for key in first}


def _mean(values: Sequence[Tensor]) -> Tensor:
    if not values[0].is_floating_point():
        return values[0].clone()
    total = torch.stack([value.to(torch.float64) for value in values]).mean(0)
    return total.to(values[0].dtype)


def _check_same(first: Mapping[str, Any], content: Mapping[str, Any], path: Path) -> None:
    mine, theirs = (_network(one["config"]) for one in (first, content))
    for key in mine | theirs:
        if mine.get(key) != theirs.get(key):
            raise KitError(
                f"expected {key} {mine.get(key)} in '{path}', got {theirs.get(key)}; average "
                "checkpoints of one network"
            )


def _network(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the network, by dotted keys; where its first weights came from does not."""
    usual = {key: Config.model_fields[key].default for key in SAME}  # older than the key
    values = flatten({key: config.get(key, usual[key]) for key in SAME})
    return {key: value for key, value in values if key != "model.weights"}
