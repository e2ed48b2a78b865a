"""What is checked of the data."""

import sys
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from common.config import Config
from common.data.audit.balance import class_balance, per_fold, presence, whole_groups
from common.data.audit.broken import blank_images, broken_files, odd_modes
from common.data.audit.duplicates import (
    TEST,
    Duplicates,
    across_folds,
    clusters_of,
    contradictions,
    find_duplicates,
    in_test,
)
from common.data.audit.finding import Finding
from common.data.audit.mask_scan import broken_masks, ignored_pixels, scan_masks
from common.data.audit.numbers import value_balance
from common.data.audit.scan import Progress, Scan, scan_images
from common.data.masks import ignored_value
from common.keys import FOLD, IMAGE_ID, LABEL, MASK, PATH


@dataclass(frozen=True)
class Audit:
    """What was found, and what pictures of it are made from."""

    rows: pd.DataFrame  # of train and, with fold TEST, of test
    duplicates: Duplicates
    kinds: dict[str, np.ndarray] = field(default_factory=dict)  # which pairs, by heading
    findings: list[Finding] = field(default_factory=list)
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)  # images by class and fold

    def units(self, group: str) -> dict[str, int]:
        """Return by image_id what is one thing: a group, or pictures that are alike."""
        codes = clusters_of(self.duplicates, len(self.rows))
        if group in self.rows:
            codes = pd.factorize(self.rows[group])[0]
        train = (self.rows[FOLD] != TEST).to_numpy()
        return dict(zip(self.rows[IMAGE_ID][train], codes[train].tolist(), strict=True))


def audit_data(train: pd.DataFrame, test: pd.DataFrame, config: Config, fixed: bool) -> Audit:
    """Read every file of train and test once and check files, folds and duplicates.

    Args:
        train: with its folds.
        fixed: the folds are the competition's own.
    """
    rows = _join(train, test, config)
    scan = scan_images(rows[PATH].tolist(), progress=progress("images"))
    duplicates = find_duplicates(scan, rows[PATH].tolist())
    audit = Audit(rows, duplicates)
    _files(audit, scan, len(train))
    return _folds(_pairs(audit, config), train, scan, config, fixed)


def _join(train: pd.DataFrame, test: pd.DataFrame, config: Config) -> pd.DataFrame:
    wanted = [IMAGE_ID, PATH, FOLD, LABEL, config.data.fold_group]
    kept = train[[column for column in dict.fromkeys(wanted) if column in train]]
    both = pd.concat([kept, test[[IMAGE_ID, PATH]].assign(**{FOLD: TEST})], ignore_index=True)
    return both.astype({FOLD: np.int64})


def _files(audit: Audit, scan: Scan, trained: int) -> None:
    ids = audit.rows[IMAGE_ID].tolist()
    for what, rows in (("train", slice(0, trained)), ("test", slice(trained, None))):
        part, names = scan.part(rows), ids[rows]
        if names:
            audit.findings.extend([broken_files(part, names, what), odd_modes(part, what)])
            audit.findings.extend(blank_images(part, names, what))


def _pairs(audit: Audit, config: Config) -> Audit:
    rows, found = audit.rows, audit.duplicates
    finding, torn = across_folds(found, rows)
    audit.findings.append(finding)
    finding, known = in_test(found, rows)
    audit.findings.append(finding)
    audit.kinds.update({"One validates the other": torn, "Train and test": known})
    if LABEL in rows and config.target_columns == LABEL:
        finding, differ = contradictions(found, rows, config.classes, config.data.fold_group)
        audit.findings.append(finding)
        audit.kinds["Labels contradict each other"] = differ
    return audit


def _folds(audit: Audit, train: pd.DataFrame, scan: Scan, config: Config, fixed: bool) -> Audit:
    pixels = None
    if MASK in train:
        told = progress("masks")
        ignore, ids = ignored_value(config), train[IMAGE_ID].tolist()
        masks = scan_masks(train, scan, len(config.classes), progress=told, ignore=ignore)
        pixels = masks.pixels
        audit.findings.append(broken_masks(pixels, masks.errors, ids))
        audit.findings.extend(ignored_pixels(masks.ignored, ids))
    folds = train[FOLD].to_numpy()
    if config.kind == "regression":
        audit.findings.extend(value_balance(train, config.classes))
        audit.findings.append(whole_groups(train, config, fixed))
        return audit
    counts = per_fold(presence(train, config, pixels), folds, config.classes)
    audit.findings.extend(class_balance(counts, np.unique(folds, return_counts=True)[1]))
    audit.findings.append(whole_groups(train, config, fixed))
    return replace(audit, counts=counts)


def progress(what: str) -> Progress:
    """Return a function that counts on one line of a terminal; elsewhere it is silent."""

    def tell(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % 50 == 0 or done == total):
            end = "\r" if done < total else "\r\033[K"
            print(f"read {done} of {total} {what}", end=end, file=sys.stderr, flush=True)

    return tell
