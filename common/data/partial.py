"""Files that appear whole or not at all."""

import secrets
from pathlib import Path


def partial(path: Path) -> Path:
    """Return a name beside a file to write it under, one that no process of any machine has."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
