"""What must not leave this machine: secrets, and paths that exist nowhere else."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from common.environment import SECRET, SHORTEST_SECRET
from common.errors import KitError

LOOKS_SECRET = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a Kaggle token": re.compile(r"\bKGAT_[A-Za-z0-9]{16,}"),
    "a W&B key": re.compile(r"\bwandb_v\d_[A-Za-z0-9_]{20,}"),
    "an API key": re.compile(
        r"(?i)(api_?key|token|secret|password)['\"]?\s*[:=]\s*['\"][A-Za-z0-9_\-]{20,}['\"]"
    ),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "an AWS key": re.compile(r"\bAKIA[A-Z0-9]{16}\b"),
}
ABSOLUTE = re.compile(
    r"""["'](?:/(?:home|root|Users|mnt|media|data|work)/|[A-Z]:[\\/])[^"']*["']"""
)


def refuse_secrets(texts: Mapping[str, str]) -> None:
    """Raise a KitError if a text holds a secret of this machine, or what looks like one.

    Args:
        texts: what is packed, by the name that an error tells. The secret itself is never told.
    """
    own = dict(_own_secrets())
    for name, text in texts.items():
        held = [what for what, value in own.items() if value in text]
        alike = [what for what, pattern in LOOKS_SECRET.items() if pattern.search(text)]
        if found := held + alike:
            raise KitError(
                f"expected no secret in what is packed, found {found[0]} in {name}; take it out "
                "(a kernel reads it from Kaggle's secrets: Add-ons, Secrets)"
            )


def refuse_absolute_paths(texts: Mapping[str, str]) -> None:
    """Raise a KitError if a text names a path of this machine."""
    for name, text in texts.items():
        if match := ABSOLUTE.search(text):
            line = text.count("\n", 0, match.start()) + 1
            raise KitError(
                f"expected paths that exist on Kaggle, got {match[0]} in {name}, line {line}; "
                "take it from data_dir, or from an attached data set"
            )


def _own_secrets() -> Iterator[tuple[str, str]]:
    """Yield what is secret here: by name of where it is kept, its value."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and any(word in name.upper() for word in SECRET):
            yield f"the value of {name}", value
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    with suppress(OSError, ValueError, KeyError, TypeError):
        yield "the key of kaggle.json", str(json.loads((folder / "kaggle.json").read_text())["key"])
    netrc = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if netrc.is_file():
        for word in re.findall(r"password\s+(\S{8,})", netrc.read_text(errors="replace")):
            yield "a password of .netrc", word
