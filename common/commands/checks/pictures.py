"""Pictures of what was checked: samples as the model gets them, duplicates side by side."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from common.callbacks.looks.sample_look import VIEWS
from common.callbacks.looks.views import View
from common.commands.checks.audit import Audit
from common.config import Config
from common.data.audit.duplicates import TEST
from common.data.image import read_image
from common.figures.encode import encode_jpeg
from common.figures.gallery import Section, gallery
from common.figures.overlay import side_by_side
from common.keys import FOLD, IMAGE_ID, LABEL, PATH

SHOWN = 12  # samples of training, and of validation
PAIRS = 8  # of each kind
HEIGHT = 150  # pixels of a duplicate


def write_preview(file: Path, train: Any, valid: Any, config: Config) -> Path:
    """Write samples of two datasets with their labels, as the model gets them; return the file."""
    view = VIEWS[config.kind](config)
    sections = [
        _section("Training, as augmented", train, view),
        _section("Validation", valid, view),
    ]
    return _write(file, gallery(sections, view.tile))


def write_pairs(file: Path, audit: Audit, config: Config) -> Path | None:
    """Write some pairs of each kind of duplicates side by side; None if there are none."""
    sections = []
    for heading, chosen in audit.kinds.items():
        pairs = audit.duplicates.pairs[chosen]
        if len(pairs):
            some = pairs[np.unique(np.linspace(0, len(pairs) - 1, PAIRS).astype(int))].tolist()
            images = [_beside(audit.rows, pair) for pair in some]
            titles = [_title(audit.rows, pair, config) for pair in some]
            sections.append(Section(f"{heading} ({len(pairs)} pairs)", images, titles))
    return _write(file, gallery(sections, 3 * HEIGHT)) if sections else None


def _section(heading: str, dataset: Any, view: View) -> Section:
    samples = [dataset[row] for row in _spread(dataset)]
    titles = [f"{sample[IMAGE_ID]} | {view.truth(sample)}" for sample in samples]
    return Section(heading, [view.picture(sample) for sample in samples], titles)


def _spread(dataset: Any) -> list[int]:
    """Return rows from beginning to end, or from the first class to the last."""
    labels = getattr(dataset, "labels", None)
    one_each = labels is not None and labels.ndim == 1
    order = np.argsort(np.asarray(labels), kind="stable") if one_each else np.arange(len(dataset))
    # the middles of equal parts, so that a part of one class shows that class
    places = ((np.arange(SHOWN) + 0.5) * len(order) / SHOWN).astype(int)
    return order[np.unique(places)].tolist()


def _beside(rows: pd.DataFrame, pair: list[int]) -> np.ndarray:
    return side_by_side(*(_scaled(read_image(rows[PATH].iloc[row], HEIGHT)) for row in pair))


def _scaled(image: np.ndarray) -> np.ndarray:
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return cv2.resize(image, (min(max(width, 1), 2 * HEIGHT), HEIGHT), interpolation=cv2.INTER_AREA)


def _title(rows: pd.DataFrame, pair: list[int], config: Config) -> str:
    words = []
    for row in pair:
        fold = rows[FOLD].iloc[row]
        where = "test" if fold == TEST else f"fold {fold}"
        one_class = LABEL in rows and config.target_columns == LABEL and fold != TEST
        name = f", {config.classes[int(rows[LABEL].iloc[row])]}" if one_class else ""
        words.append(f"{rows[IMAGE_ID].iloc[row]} ({where}{name})")
    return " | ".join(words)


def _write(file: Path, picture: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_jpeg(picture))
    return file
