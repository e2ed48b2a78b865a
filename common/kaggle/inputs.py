"""Where attached data lies on Kaggle: the layout has changed, and differs by what is attached.

Competitions were mounted at `/kaggle/input/<slug>`, and are at `/kaggle/input/competitions/<slug>`;
data sets at `/kaggle/input/<slug>` or `/kaggle/input/datasets/<owner>/<slug>`; models at
`/kaggle/input/<model>/<framework>/<variation>/<version>`, or the same below `models/<owner>/`.
All of them are tried; then any folder that holds what is looked for; then the tree is shown.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from common.errors import KitError

DEPTH = 6  # folders below the root that are looked through
SHOWN = 40  # entries of the tree in an error
Lacks = Callable[[Path], str]  # what a folder lacks; empty: it is the one


def input_root() -> Path:
    """Return the folder of all inputs; KIT_KAGGLE_INPUT names another."""
    return Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))


def working_dir() -> Path:
    """Return the folder whose files are kept as output; KIT_KAGGLE_WORKING names another."""
    return Path(os.environ.get("KIT_KAGGLE_WORKING", "/kaggle/working"))


def find_competition(slug: str, lacks: Lacks) -> Path:
    """Return the folder of the competition's files.

    Args:
        lacks: what is wrong with a folder, see `can_read`.

    Raises:
        KitError: no folder does; the tree of inputs is shown.
    """
    root = input_root()
    places = [root / "competitions" / slug, root / slug] if slug else []
    what = f"the data of the competition '{slug}'" if slug else "the data of the competition"
    return _find(what, places, lacks)


def find_dataset(ref: str, lacks: Lacks) -> Path:
    """Return the folder of a data set or model that is attached as "owner/slug" or longer."""
    root, (owner, *rest) = input_root(), ref.split("/")
    name = Path(*rest)
    places = [
        *(root / "datasets" / owner / name, root / name),
        *(root / "models" / owner / name, root / rest[0]),
    ]
    return _find(f"the data set '{ref}'", places, lacks)


def has_file(pattern: str) -> Lacks:
    """Return a test for folders: a file of this pattern lies in it."""
    return lambda folder: "" if any(folder.glob(pattern)) else f"it holds no {pattern}"


def can_read(read: Callable[[Path], object]) -> Lacks:
    """Return a test for folders: a competition's own reader finds there what it needs."""

    def lacks(folder: Path) -> str:
        try:
            read(folder)
        except KitError as error:
            return str(error)
        return ""

    return lacks


def tree(root: Path, most: int = SHOWN) -> str:
    """Return what lies below a folder, as indented lines; of files the first three of each."""
    lines: list[str] = []
    for folder, names, files in os.walk(root, followlinks=True):
        names.sort()
        depth = len(Path(folder).relative_to(root).parts)
        if depth >= DEPTH:
            names.clear()
        lines.append("  " * depth + f"{Path(folder).name}/")
        lines += ["  " * (depth + 1) + name for name in sorted(files)[:3]]
        lines += ["  " * (depth + 1) + f"... {len(files) - 3} more"] if len(files) > 3 else []
    return "\n".join([*lines[:most], "..."] if len(lines) > most else lines)


def _find(what: str, places: list[Path], lacks: Lacks) -> Path:
    root = input_root()
    for folder in [*places, *_folders(root)]:
        if folder.is_dir() and not lacks(folder):
            return folder
    tried = [f"'{place}': {lacks(place)}" for place in places if place.is_dir()]
    reasons = "; ".join(tried) or "not in " + ", ".join(map(str, places or [root]))
    raise KitError(
        f"expected {what} below '{root}', found none ({reasons}); attach it to the kernel. What "
        f"is there:\n{tree(root) or 'nothing'}"
    )


def _folders(root: Path) -> Iterator[Path]:
    """Yield folders level by level, so that the outermost that fits is found first."""
    level = [root]
    for _ in range(DEPTH):
        yield from level
        level = [child for folder in level for child in _children(folder)]


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError:
        return []
