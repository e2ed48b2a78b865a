"""What a scan says of the files themselves."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from common.data.audit.finding import Finding, ok, problem, warning
from common.data.audit.scan import Scan
from common.data.files import some

PLAIN = ("RGB", "L", "")  # modes that are read as they are
FEW = 0.5  # share of the files below which another mode is odd
REASONS = {
    "empty": r"empty file",
    "truncated or damaged": r"truncated|damaged",
    "not an image": r"not an image",
    "missing": r"No such file",
}


def broken_files(scan: Scan, ids: Sequence[str], what: str) -> Finding:
    """Tell of files that cannot be read, by kind, with examples."""
    if not scan.errors:
        return ok(f"{what} files", f"all {len(ids)} are read whole; {_sizes(scan)}")
    kinds = Counter(_reason(error) for error in scan.errors.values())
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    names = some([ids[place] for place in scan.errors])
    return problem(
        f"{what} files",
        f"{len(scan.errors)} of {len(ids)} cannot be read ({listed}): {names}",
        "fetch these files again, or leave their rows out in data.py; training stops at the first",
    )


def odd_modes(scan: Scan, what: str) -> Finding:
    """Count colour modes; those that few files have, and that lose something, are odd."""
    counts = Counter(mode for mode in scan.modes if mode)
    listed = ", ".join(f"{count} {mode}" for mode, count in counts.most_common())
    total = max(sum(counts.values()), 1)
    odd = [m for m, count in counts.items() if m not in PLAIN and count / total < FEW]
    if not odd:
        return ok(f"{what} modes", listed)
    return warning(
        f"{what} modes",
        f"{listed}: {', '.join(odd)} among others",
        "they are read as RGB (alpha dropped, 16 bits cut to 8); look at such files, and convert "
        "them where that is wrong",
    )


def blank_images(scan: Scan, ids: Sequence[str], what: str) -> list[Finding]:
    """Tell of pictures without anything to see; nothing if there are none."""
    rows = np.flatnonzero(scan.flat).tolist()
    if not rows:
        return []
    return [
        warning(
            f"{what} blank",
            f"{len(rows)} of {len(ids)} pictures are of one colour: {some([ids[r] for r in rows])}",
            "look at them; leave them out in data.py if nothing can be learnt from them",
        )
    ]


def _reason(error: str) -> str:
    return next((name for name, sign in REASONS.items() if re.search(sign, error)), "unreadable")


def _sizes(scan: Scan) -> str:
    """Return the range of sizes in words, width x height."""
    sides = scan.sizes[:, ::-1]
    least, most = sides[sides.prod(1).argmin()], sides[sides.prod(1).argmax()]
    small, large = (f"{width}x{height}" for width, height in (least.tolist(), most.tolist()))
    return f"{small} pixels" if small == large else f"{small} to {large} pixels"
