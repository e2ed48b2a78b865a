"""Finding files, and saying it well when they are not there."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.errors import KitError, did_you_mean

FIX = "fix it in competitions/<name>/data.py"


def check_file(path: Path) -> None:
    """Raise KitError naming the missing folder, or the missing file and the one most like it."""
    if path.is_file():
        return
    if not path.parent.is_dir():
        raise KitError(
            f"expected the folder '{path.parent}', found none; name the data folder with --data "
            "DIR or KIT_DATA, or write demo data: kit demo <name>"
        )
    beside = sorted(entry.name for entry in path.parent.iterdir())
    hint = did_you_mean(path.name, beside) if beside else "the folder is empty"
    raise KitError(f"expected the file '{path}', found none; {hint[:300]}; {FIX}")


def find_files(folder: Path, suffixes: Sequence[str], deep: bool = False) -> dict[str, Path]:
    """Map names relative to the folder to image files, sorted; hidden files are left out."""
    if not folder.is_dir():
        raise KitError(
            f"expected the image folder '{folder}', found none; name the data folder with "
            f"--data DIR or KIT_DATA, or {FIX}"
        )
    wanted = {suffix.lower() for suffix in suffixes}
    paths = folder.rglob("*") if deep else folder.iterdir()
    found = {
        path.relative_to(folder).as_posix(): path
        for path in paths
        if path.suffix.lower() in wanted and not path.name.startswith(".")
    }
    return dict(sorted(found.items()))


def partial(path: Path) -> Path:
    """Return a name beside a file to write it under, one that no process of any machine has."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")


def some(values: Iterable[object], count: int = 5) -> str:
    """Quote the first few values, and say how many there are if that is not all."""
    texts = [f"'{value}'" for value in values]
    more = f", ... ({len(texts)} in all)" if len(texts) > count else ""
    return ", ".join(texts[:count]) + more
