"""Finding files, and saying it well when they are not there."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from common.data.shards import list_members
from common.data.stored import SUFFIX
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
    """Map names relative to the folder to image files, sorted; hidden files are left out.

    Members of tar shards count as files of the shard's folder; a file of its own comes before a
    member of the same name. See `common.data.stored` for their paths.
    """
    if not folder.is_dir():
        raise KitError(
            f"expected the image folder '{folder}', found none; name the data folder with "
            f"--data DIR or KIT_DATA, or {FIX}"
        )
    wanted = {suffix.lower() for suffix in suffixes}
    paths = list(folder.rglob("*") if deep else folder.iterdir())
    found = {
        path.relative_to(folder).as_posix(): path
        for path in paths
        if path.suffix.lower() in wanted and not path.name.startswith(".")
    }
    for member in list_members(path for path in paths if path.suffix == SUFFIX):
        place, base = PurePath(member.shard).parent / member.name, PurePath(member.name)
        is_here = deep or len(base.parts) == 1
        if is_here and base.suffix.lower() in wanted and not base.name.startswith("."):
            found.setdefault(place.relative_to(folder).as_posix(), member.path)
    return dict(sorted(found.items()))


def some(values: Iterable[object], count: int = 5) -> str:
    """Quote the first few values, and say how many there are if that is not all."""
    texts = [f"'{value}'" for value in values]
    more = f", ... ({len(texts)} in all)" if len(texts) > count else ""
    return ", ".join(texts[:count]) + more
