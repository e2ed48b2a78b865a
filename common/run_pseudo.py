"""Whether a run goes on with the pseudo-labels it was started with: the content, not the place."""

import hashlib
import json
from pathlib import Path

from common.config import Config
from common.errors import KitError

INPUTS = "inputs.json"  # of the run folder: key of the config -> digest of what the file says


def check_inputs(folder: Path, config: Config, resume: bool) -> dict[str, str]:
    """Return what a run folder is to keep of the pseudo-labels; resuming, it must be as it was.

    A run of an earlier version of the kit, which kept nothing, goes on with what there is.

    Raises:
        KitError: the file of `data.pseudo` has other content.
    """
    path, file = Path(config.data.pseudo), folder / INPUTS
    if not config.data.pseudo or not path.is_file():  # where it is needed, its lack is told
        return {}
    found = {"data.pseudo": content_digest(path)}
    kept = json.loads(file.read_text()) if resume and file.is_file() else found
    if kept != found:
        raise KitError(
            f"expected the pseudo-labels that '{folder}' was started with, got other content in "
            f"'{path}' (data.pseudo); bring those back, or start a new run with --name"
        )
    return found


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a table's columns, wherever its images lie and whatever wrote it."""
    import pyarrow.parquet
    import pyarrow.types as types

    from common.keys import PATH

    table, digest = pyarrow.parquet.read_table(path), hashlib.sha256()
    for name in sorted(set(table.column_names) - {PATH}):
        column = table[name]
        numbers = types.is_floating(column.type) or types.is_integer(column.type)
        digest.update(f"{name} {len(column)}".encode())
        digest.update(column.to_numpy().tobytes() if numbers else repr(column.to_pylist()).encode())
    return digest.hexdigest()
