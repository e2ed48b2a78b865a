"""kit check."""

import warnings
from pathlib import Path

from common.competition import Competition
from common.environment import data_dir
from common.errors import KitError
from common.keys import LABEL


def check_data(name: str, given: Path | None) -> None:
    """Read train and test as a training would and say what is there."""
    competition = Competition.find(name)
    place, data = data_dir(name, given), competition.module("data")
    config = competition.experiment("baseline")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, test = data.read_train(place, config), data.read_test(place)
    print(f"train: {len(train)} images; test: {len(test)} images")
    if LABEL in train:
        counts = train[LABEL].map(dict(enumerate(config.classes))).value_counts()
        print("classes: " + ", ".join(f"{label} {count}" for label, count in counts.items()))
    for warning in caught:
        print(f"warning: {warning.message}")


def check_submission_file(name: str, given: Path | None, file: Path) -> None:
    """Print every finding; an error among them is an error of the command."""
    from common.submission.validator import check_submission

    competition = Competition.find(name)
    data = competition.module("data")
    sample = data.sample_submission(data_dir(name, given))
    findings = check_submission(file, sample, data.RULES)
    for finding in findings:
        print(finding)
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise KitError(
            f"expected a valid submission in '{file}', got {errors} errors, listed above"
        )
    print(f"{file}: valid")
