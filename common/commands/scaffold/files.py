"""Looking into a data folder and filling in templates, for every task."""

import csv
from itertools import islice
from pathlib import Path
from string import Template

from common.errors import KitError

IMAGES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"}
TEMPLATES = Path(__file__).parents[1] / "templates"
FIX = "mend it, or move it away"
STORY = ("config.py", "train.py", "predict.py", "README.md")


def folders_of(data: Path) -> list[Path]:
    """Return the folders in a data folder; none if it is not there."""
    return [path for path in sorted(data.glob("*")) if path.is_dir()]


def named(paths: list[Path], word: str, default: str) -> str:
    """Return the shortest name that holds the word."""
    found = [path.name for path in paths if word in path.name.lower()]
    return min(found, key=len, default=default)


def read_rows(path: Path, most: int | None = None) -> list[dict[str, str]]:
    """Return the rows of a csv, at most so many; a cell that a row lacks is empty.

    Raises:
        KitError: it is no text of UTF-8.
    """
    csv.field_size_limit(2**30)  # a cell of run-length code can be long
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(islice(csv.DictReader(file, restval=""), most))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KitError(f"expected a csv in '{path}', got: {error}; {FIX}") from None


def first_row(path: Path) -> dict[str, str]:
    """Return the first row of a csv.

    Raises:
        KitError: it has none.
    """
    rows = read_rows(path, most=1)
    if not rows:
        raise KitError(f"expected rows in '{path}', found none; {FIX}")
    return rows[0]


def quoted(names: tuple[str, ...]) -> str:
    """Return a tuple of names as Python text that keeps to the line length."""
    text = "(" + ", ".join(f'"{name}"' for name in names) + ("," if len(names) == 1 else "") + ")"
    if len(text) <= 80:
        return text
    return "(\n" + "".join(f'    "{name}",\n' for name in names) + ")"


def fill(task: str, file: str, values: dict[str, str]) -> str:
    """Return a template with its values."""
    return Template((TEMPLATES / task / f"{file}.template").read_text()).substitute(values)


def story(task: str, name: str, values: dict[str, str]) -> dict[str, str]:
    """Return the files that every competition of a task has, by name."""
    title = name.replace("_", " ").capitalize()
    values = {"name": name, "title": title, **values}
    files = {file: fill(task, file, values) for file in STORY}
    return {"__init__.py": f'"""{title}."""\n', **files}
