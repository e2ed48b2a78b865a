"""What a program needs of the kit, and of other libraries, by following its imports."""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple

OURS = ("common", "competitions")


class Closure(NamedTuple):
    """Modules of the kit with their files, and the top-level names of other libraries."""

    files: dict[str, Path]
    libraries: list[str]


def import_closure(entries: Sequence[str]) -> Closure:
    """Follow every import statement, also those within functions, from the entries on.

    Args:
        entries: dotted modules; those that are imported by name while running have to be named.
    """
    files: dict[str, Path] = {}
    libraries: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name.partition(".")[0] not in OURS:
            libraries.add(name.partition(".")[0])
            continue
        for module in _with_packages(name):
            file = module_file(module)
            if file and module not in files:
                files[module] = file
                waiting += _imported(file)
    known = sys.stdlib_module_names
    return Closure(dict(sorted(files.items())), sorted(libraries - set(known)))


def module_file(name: str) -> Path | None:
    """Return the file of a module or package; None if it is neither (a name within a module)."""
    top, *rest = name.split(".")
    for home in import_module(top).__path__:  # competitions may lie in several places
        place = Path(home).joinpath(*rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and (rest or file.name == "__init__.py"):
                return file
    return None


def archive_name(module: str, file: Path) -> str:
    """Return where a module's file lies in the archive."""
    place = module.replace(".", "/")
    return f"{place}/{file.name}" if file.name == "__init__.py" else f"{place}.py"


def distributions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the distribution that each import name comes from, as far as it is installed."""
    known = metadata.packages_distributions()
    return {name: known[name][0] for name in libraries if name in known}


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
