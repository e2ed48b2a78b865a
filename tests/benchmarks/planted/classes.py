"""Wrong classes, planted into photographs or into drawn ones."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from planted.task import Planted, config_of

from common.keys import FOLD, IMAGE_ID, LABEL, PATH

SHARE = 0.08  # of the labels


def plant(data: Path | None, work: Path, seed: int, options) -> Planted:
    """Return a frame with a share of flipped labels, each to any of the other classes."""
    frame = _draw(work) if data is None else _read(data)
    classes = tuple(sorted(frame[LABEL].unique()))
    random = np.random.default_rng(seed)
    labels = np.searchsorted(classes, frame[LABEL])
    count = max(1, round(SHARE * len(frame)))
    wrong = random.choice(len(frame), count, replace=False)
    labels[wrong] = (labels[wrong] + random.integers(1, len(classes), count)) % len(classes)
    frame = frame.assign(**{LABEL: labels, FOLD: random.permutation(len(frame)) % options.folds})
    config = config_of("classification", classes, seed, options, metric="accuracy")
    return Planted(frame, config, set(frame[IMAGE_ID].iloc[wrong]))


def _read(data: Path) -> pd.DataFrame:
    frame = pd.read_csv(data / "train.csv")
    return frame.assign(**{PATH: [str(data / "train" / name) for name in frame[IMAGE_ID]]})


def _draw(work: Path, count: int = 240) -> pd.DataFrame:
    """Draw noise in the colour of its class; the classes overlap."""
    random, rows = np.random.default_rng(0), []
    shades = {"blue": (90, 100, 150), "green": (95, 140, 105), "red": (145, 100, 95)}
    for number in range(count):
        label = list(shades)[number % 3]
        pixels = random.normal(shades[label], 30, (32, 32, 3)) + random.normal(0, 15, 3)
        path = work / f"{number:03d}.png"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        rows.append({IMAGE_ID: path.name, PATH: str(path), LABEL: label})
    return pd.DataFrame(rows)


def rankings(planted: Planted, issues: pd.DataFrame, last, best) -> dict[str, np.ndarray]:
    """Return for each way of ranking whether each sample, worst first, is a planted one.

    Args:
        last: losses of the last epoch by id.
        best: ids, targets and predictions of the best epochs.
    """
    ids, target, prediction = best
    own = prediction[np.arange(len(target)), target]
    others = prediction.copy()
    others[np.arange(len(target)), target] = -1
    ours = issues.set_index(IMAGE_ID).doubt.reindex(ids, fill_value=0).to_numpy()
    doubts = {
        "label issues": ours,
        "last-epoch loss": last.reindex(ids).to_numpy(),
        "self-confidence": 1 - own,
        "normalised margin": others.max(1) - own,
    }
    truth = np.isin(ids, list(planted.wrong))
    return {name: truth[np.argsort(-doubt, kind="stable")] for name, doubt in doubts.items()}
