"""kit check."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from common.commands.checks.audit import Audit, audit_data
from common.commands.checks.table import table_lines, verdict
from common.competition import Competition
from common.config import Config, parse_overrides
from common.data.audit.duplicates import table_of
from common.data.audit.finding import Finding, ok, problem, warning
from common.data.folds import fold_frame
from common.data.pseudo_file import check_test, remedy_of
from common.environment import data_dir, runs_dir
from common.errors import KitError
from common.keys import FOLD
from common.runs import Run
from common.submission.rules import Finding as SubmissionFinding

PREVIEW, PAIRS, TABLE = "preview.jpg", "duplicates.jpg", "duplicates.csv"
SHOWN_CLASSES = 12  # rows of the table of classes


def check_data(
    name: str,
    given: Path | None,
    given_runs: Path | None = None,
    experiment: str = "baseline",
    overrides: Sequence[str] = (),
    model: bool = True,
    deep: bool = False,
) -> None:
    """Audit data and model before a long run; leave with code 1 if the run cannot succeed.

    Args:
        model: also check that it can learn.
        deep: also train shortly on shuffled labels.
    """
    from common.learners.early import check_config

    competition = Competition.find(name)
    config = competition.experiment(experiment).model_copy(update=parse_overrides(overrides))
    check_config(competition, config)
    place, run = data_dir(name, given), Run(runs_dir(given_runs) / name / "check" / "fold0")
    with unchanged(run.folds_file):
        audit = _audit(competition, config, place, run)
        files = _write_duplicates(audit, config, run.folder.parent)
        if model or deep:
            found, preview = _check_model(competition, config, place, run, audit, deep)
            audit.findings.extend(found)
            files += preview
    print("\n".join(table_lines(audit.findings)))
    print("\n".join(["", *_class_lines(audit.counts), *(f"written: {file}" for file in files)]))
    print(verdict(audit.findings))
    if any(finding.status == "problem" for finding in audit.findings):
        sys.exit(1)


def _audit(competition: Competition, config: Config, place: Path, run: Run) -> Audit:
    data = competition.module("data")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, test = data.read_train(place, config), data.read_test(place)
    print(f"train: {len(train)} images; test: {len(test)} images\n", flush=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what folds lack is a finding
        frame = fold_frame(run.folds_file, train, config)
    audit = audit_data(frame, test, config, fixed=FOLD in train.columns)
    remedy = "mend the data or competitions/<name>/data.py, or go on if that is how it should be"
    said = [warning("reading", str(message.message), remedy) for message in caught]
    audit.findings[:0] = said
    audit.findings.extend(pseudo_findings(test, config))
    return audit


def pseudo_findings(test: pd.DataFrame, config: Config) -> list[Finding]:
    """Compare pseudo-labels with the test set; that there is no such file is told elsewhere."""
    file = Path(config.data.pseudo)
    if not file.is_file():
        return []
    remedy = remedy_of(config)
    try:
        told = check_test(file, test, config)
    except KitError as error:
        return [problem("pseudo-labels", str(error).removesuffix(f"; {remedy}"), remedy)]
    if told:
        return [warning("pseudo-labels", told.removesuffix(f"; {remedy}"), remedy)]
    return [ok("pseudo-labels", f"made of the {len(test)} test images that there are")]


def _write_duplicates(audit: Audit, config: Config, folder: Path) -> list[Path]:
    from common.commands.checks.pictures import write_pairs

    picture = write_pairs(folder / PAIRS, audit, config)
    if picture is None:
        return []
    table_of(audit.duplicates, audit.rows).to_csv(folder / TABLE, index=False)
    return [picture, folder / TABLE]


def _check_model(
    competition: Competition, config: Config, place: Path, run: Run, audit: Audit, deep: bool
) -> tuple[list[Finding], list[Path]]:
    from common.commands.checks.model import check_model, make_model, rehearse_training
    from common.commands.checks.pictures import write_preview

    learner, config, found = make_model(competition, config, place, run)
    if learner is None:
        return found, []
    if config.data.pseudo:  # they could be read; what follows asks about true labels
        config = config.model_copy(update={"data.pseudo": ""})
        learner = rehearse_training(competition, config, place, run)
    loaders = learner.dls
    try:
        file = run.folder.parent / PREVIEW
        written = [write_preview(file, loaders.train.dataset, loaders.valid.dataset, config)]
    except KitError:  # a broken file among those shown: the files' own row says so
        written = []
    found += check_model(learner, config)
    if deep:
        from common.learners.sanity.control import shuffled_labels

        found.append(
            shuffled_labels(
                lambda: rehearse_training(competition, config, place, run),
                audit.units(config.data.fold_group),
            )
        )
    return found, written


@contextmanager
def unchanged(folds_file: Path) -> Iterator[None]:
    """Leave no folds behind that were not there: what is found may change how they are made."""
    there = folds_file.exists()
    try:
        yield
    finally:
        if not there:
            folds_file.unlink(missing_ok=True)


def _class_lines(counts: pd.DataFrame) -> list[str]:
    """Return the table of images with each class in each fold; of many classes the rarest."""
    if len(counts) < 2:
        return []
    total = counts.sum(axis=1)
    counts = counts.rename(columns=lambda fold: f"fold {fold}").assign(total=total)
    rarest = counts.loc[total.sort_values(kind="stable").index].head(SHOWN_CLASSES)
    title = "images with each class" + (
        f" (the {SHOWN_CLASSES} rarest of {len(counts)})" if len(counts) > SHOWN_CLASSES else ""
    )
    shown = rarest if len(counts) > SHOWN_CLASSES else counts
    return [f"{title}:", shown.to_string(), ""]


def check_submission_file(name: str, given: Path | None, file: Path) -> None:
    """Print every finding; an error among them is an error of the command."""
    findings = submission_findings(name, data_dir(name, given), file)
    for finding in findings:
        print(finding)
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise KitError(
            f"expected a valid submission in '{file}', got {errors} errors, listed above"
        )
    print(f"{file}: valid")


def submission_findings(name: str, place: Path, file: Path) -> list[SubmissionFinding]:
    """Return all that is wrong with a submission by the competition's rules; empty means valid.

    Args:
        place: the data that it was predicted for.
    """
    from common.submission.validator import check_submission

    data = Competition.find(name).module("data")
    if own := getattr(data, "check_submission", None):  # where it is no csv
        return list(own(file, place))
    return check_submission(file, data.sample_submission(place), data.RULES)
