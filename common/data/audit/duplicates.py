"""Pictures that come twice: byte by byte, or to the eye."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from common.data.audit.finding import Finding, ok, warning
from common.data.audit.hashes import likeness
from common.data.audit.neighbours import near_pairs
from common.data.audit.scan import Scan
from common.data.files import some
from common.data.stored import read_stored
from common.keys import FOLD, IMAGE_ID, LABEL, PATH

RADIUS = 8  # of 64 bits; see tests for what lies within and what beyond
LIKENESS = 0.95  # correlation of thumbnails that pairs must have as well
TEST = -1  # fold of test images
CLUSTER = "cluster"


class Duplicates(NamedTuple):
    """P pairs of positions, left < right, that show the same picture."""

    pairs: np.ndarray  # (P, 2) int64
    identical: np.ndarray  # (P,) bool, byte by byte
    radius: int  # bits within which was searched

    def select(self, chosen: np.ndarray) -> "Duplicates":
        """Return some of the pairs."""
        return Duplicates(self.pairs[chosen], self.identical[chosen], self.radius)


def find_duplicates(scan: Scan, paths: Sequence[str], radius: int = RADIUS) -> Duplicates:
    """Return all pairs within `radius` bits whose thumbnails agree; blank pictures are left out."""
    rows = scan.comparable
    left, right, radius = near_pairs(scan.hashes[rows], radius)
    alike = likeness(scan.thumbs[rows[left]], scan.thumbs[rows[right]]) >= LIKENESS
    pairs = np.stack([rows[left[alike]], rows[right[alike]]], 1)
    same_hash = scan.hashes[pairs[:, 0]] == scan.hashes[pairs[:, 1]]
    digests = {row: _digest(paths[row]) for row in np.unique(pairs[same_hash]).tolist()}
    same = [digests.get(a, "a") == digests.get(b, "b") for a, b in pairs.tolist()]
    return Duplicates(pairs, np.array(same, bool), radius)


def clusters_of(duplicates: Duplicates, count: int) -> np.ndarray:
    """Return `(count,)` which cluster each position belongs to; alone, it is one of its own."""
    ones = np.ones(len(duplicates.pairs), bool)
    graph = coo_matrix((ones, duplicates.pairs.T), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def across_folds(found: Duplicates, rows: pd.DataFrame) -> tuple[Finding, np.ndarray]:
    """Tell of pairs that one fold trains and another validates on; return which pairs they are."""
    folds = rows[FOLD].to_numpy()[found.pairs]
    torn = (folds >= 0).all(1) & (folds[:, 0] != folds[:, 1])
    finding = _tell(
        "duplicates across folds",
        found.select(torn),
        rows,
        "validation then scores what it was trained on; keep each cluster in one fold: bring "
        "`cluster` of duplicates.csv into the frame as `group` in data.py and set "
        "data.fold_kind=stratified_group (or group)",
    )
    return finding, torn


def in_test(found: Duplicates, rows: pd.DataFrame) -> tuple[Finding, np.ndarray]:
    """Tell of training images that are in the test set; return which pairs they are."""
    both = ((rows[FOLD].to_numpy()[found.pairs] >= 0).sum(1)) == 1
    finding = _tell(
        "train images in test",
        found.select(both),
        rows,
        "the public score will flatter; trust the folds, and look at duplicates.csv: the rules say "
        "whether their known labels may be used",
    )
    return finding, both


def contradictions(
    found: Duplicates, rows: pd.DataFrame, classes: Sequence[str], group: str
) -> tuple[Finding, np.ndarray]:
    """Tell of pairs with different labels; return which pairs they are.

    Where images of one group have different labels, the eye cannot tell the classes apart (a
    picture with and without a hidden message), and byte-identical pairs alone contradict.
    """
    folds, labels = rows[FOLD].to_numpy()[found.pairs], rows[LABEL].to_numpy()[found.pairs]
    differ = (folds >= 0).all(1) & (labels[:, 0] != labels[:, 1])
    if group in rows and rows.groupby(group)[LABEL].nunique().max() > 1:
        differ &= found.identical
    if not differ.any():
        return ok("labels of duplicates", "no two of them contradict each other"), differ
    ids = rows[IMAGE_ID].to_numpy()
    said = [
        f"{ids[a]} ({classes[int(x)]}) = {ids[b]} ({classes[int(y)]})"
        for (a, b), (x, y) in zip(found.pairs[differ], labels[differ], strict=True)
    ]
    finding = warning(
        "labels of duplicates",
        f"{int(differ.sum())} pairs contradict each other: {some(said, 2)}",
        "look at them in duplicates.jpg; mend or leave out the wrong rows in data.py",
    )
    return finding, differ


def table_of(found: Duplicates, rows: pd.DataFrame) -> pd.DataFrame:
    """Return image_id, split, fold, cluster and how many are in it of every row; largest first."""
    codes = clusters_of(found, len(rows))
    table = rows[[IMAGE_ID, FOLD, PATH]].assign(
        **{CLUSTER: codes, "size": np.bincount(codes)[codes]}
    )
    table.insert(1, "split", np.where(table[FOLD] == TEST, "test", "train"))
    return table.sort_values(["size", CLUSTER], ascending=[False, True], kind="stable")


def _tell(check: str, found: Duplicates, rows: pd.DataFrame, remedy: str) -> Finding:
    smaller = "" if found.radius == RADIUS else f" (within {found.radius} bits; too many alike)"
    if not len(found.pairs):
        return ok(check, f"none{smaller}")
    ids = rows[IMAGE_ID].to_numpy()
    same = int(found.identical.sum())
    order = np.argsort(~found.identical, kind="stable")
    shown = [f"{ids[a]} = {ids[b]}" for a, b in found.pairs[order].tolist()]
    counts = {"byte-identical": same, "near-identical": len(found.pairs) - same}
    kinds = " and ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return warning(check, f"{kinds} pairs{smaller}: {some(shown, 3)}", remedy)


def _digest(path: str) -> str:
    return hashlib.blake2b(read_stored(path), digest_size=16).hexdigest()
