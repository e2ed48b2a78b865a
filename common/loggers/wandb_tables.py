"""Tables of a W&B run, whose pictures are files of the run once, however often they are shown."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common.figures.grid import is_image, row_title, same_size
from common.loggers.wandb_pictures import encode, make_picture, stand_in_of

MAX_PICTURES = 100  # wandb shows no more of a list
FILE = "_file"  # ends the name of the column that names a picture's file
Cell = tuple[int, str]  # row and column
Rows = Sequence[Mapping[str, Any]]


class Tables:
    """Makes media panels and tables; a picture that a panel has shown before keeps its file.

    Args:
        wandb: the package, which is imported elsewhere.
        folder: of the run's files, to which paths are relative.
    """

    def __init__(self, wandb: Any, folder: Path) -> None:
        self._wandb, self._folder = wandb, f"{folder}{os.sep}"
        self._known: dict[tuple[str, bytes], Any] = {}
        self._new: set[Cell] = set()

    def pictures(self, name: str, rows: Rows) -> dict[Cell, Any]:
        """Return the pictures of a table, for a list of that name; log it before the table."""
        cells = [(n, key) for n, row in enumerate(rows) for key in row if is_image(row[key])]
        cells, self._new = cells[:MAX_PICTURES], set()
        pages = same_size([rows[n][key] for n, key in cells])
        return {
            cell: self._picture(name, page, row_title(rows[cell[0]]), cell)
            for cell, page in zip(cells, pages, strict=True)
        }

    def table(self, rows: Rows, pictures: Mapping[Cell, Any]) -> Any:
        """Return the table: pictures where they first appear, and in every row their files."""
        names = list(dict.fromkeys(key for row in rows for key in row))
        pictured = [key for key in names if any(is_image(row.get(key)) for row in rows)]
        data: Any = [
            [self._content((n, key), row, pictures) for key in names]
            + [self._file(pictures.get((n, key))) for key in pictured]
            for n, row in enumerate(rows)
        ]
        columns: Any = [*names, *(key + FILE for key in pictured)]
        return self._wandb.Table(columns=columns, data=data, allow_mixed_types=True)

    def release(self) -> None:
        """Forget the pixels of what was logged; the files are there to be read."""
        for picture in self._known.values():
            picture._image = None

    def _picture(self, name: str, image: np.ndarray, caption: str, cell: Cell) -> Any:
        encoded = encode(image)
        key = name, hashlib.blake2b(encoded.data).digest()
        known = self._known.get(key)
        if known is not None and known.is_bound():
            # The caption is that of this epoch; the file is not stored under another name again.
            known._caption, known.bind_to_run = caption, _stay
            known._image = stand_in_of(encoded)
            return known
        picture = make_picture(self._wandb, encoded, caption)
        self._known.setdefault(key, picture)
        self._new.add(cell)
        return picture

    def _content(self, cell: Cell, row: Mapping[str, Any], pictures: Mapping[Cell, Any]) -> Any:
        value = row.get(cell[1])
        if is_image(value):
            if cell not in pictures:  # beyond what a list shows
                return make_picture(self._wandb, encode(value))
            return self._same(pictures[cell]) if cell in self._new else None
        value = value.item() if isinstance(value, np.generic) else value
        return value if isinstance(value, int | float | str | None) else str(value)

    def _same(self, picture: Any) -> Any:
        """Return a picture of the same file without a caption: its row says what it is."""
        same = self._wandb.Image(picture)
        same._caption, same.to_json = None, partial(self._in_place, same)
        return same

    def _in_place(self, picture: Any, target: Any) -> Any:
        """Give a table's artifact the file where it is; wandb would copy it once more."""
        if isinstance(target, self._wandb.Artifact):
            name = self._file(picture)
            target.add_file(picture._path, name, skip_cache=True, policy="immutable")
        return type(picture).to_json(picture, target)

    def _file(self, picture: Any) -> str | None:
        if picture is None:
            return None
        path = str(picture._path)  # pathlib would take as long as the JPEG
        if not path.startswith(self._folder):  # in a disabled run
            return Path(path).name
        return path.removeprefix(self._folder).replace(os.sep, "/")


def _stay(*args: Any, **kwargs: Any) -> None:
    """Take the place of a method that would store a file again."""
