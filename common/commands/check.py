"""kit check."""

import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from common.competition import Competition
from common.config import Config
from common.environment import data_dir
from common.errors import KitError
from common.keys import LABEL, LABELS


def check_data(name: str, given: Path | None) -> None:
    """Read train and test as a training would and say what is there."""
    competition = Competition.find(name)
    place, data = data_dir(name, given), competition.module("data")
    config = competition.experiment("baseline")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, test = data.read_train(place, config), data.read_test(place)
    print(f"train: {len(train)} images; test: {len(test)} images")
    if counts := _count_classes(train, config):
        print("classes: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    for warning in caught:
        print(f"warning: {warning.message}")


def _count_classes(train: pd.DataFrame, config: Config) -> dict[Any, int]:
    """Return how often each class occurs: images, or boxes and images without any."""
    if config.multilabel:
        return {name: int(train[name].sum()) for name in config.classes}
    names = dict(enumerate(config.classes))
    if LABEL in train:
        return train[LABEL].map(names).value_counts().to_dict()
    if LABELS in train:
        empty = sum(len(labels) == 0 for labels in train[LABELS])
        boxes = train[LABELS].explode().dropna().map(names).value_counts().to_dict()
        return {**boxes, "(images without a box)": empty}
    return {}


def check_submission_file(name: str, given: Path | None, file: Path) -> None:
    """Print every finding; an error among them is an error of the command."""
    from common.submission.validator import check_submission

    competition = Competition.find(name)
    data = competition.module("data")
    place = data_dir(name, given)
    if own := getattr(data, "check_submission", None):  # where it is no csv
        findings = own(file, place)
    else:
        findings = check_submission(file, data.sample_submission(place), data.RULES)
    for finding in findings:
        print(finding)
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise KitError(
            f"expected a valid submission in '{file}', got {errors} errors, listed above"
        )
    print(f"{file}: valid")
