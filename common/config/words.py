"""Words of the command line, and values by their dotted keys."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.config.values import flatten
from common.errors import KitError

OVERRIDES = "overrides"  # key of a file that says more than them


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Turn `key.sub=value` words of the command line into an update for `model_copy`.

    Values are read as JSON where they are (numbers, true, null, lists), else as text. Of a word
    given twice the last one counts; `@FILE` stands for the words of a file.
    """
    return dict(_parse(word) for word in expand_files(arguments))


def expand_files(arguments: Sequence[str]) -> list[str]:
    """Return the words with those of a file in place of each `@FILE`, as `kit tune` writes it.

    The file is a JSON object of dotted keys and values, alone or under OVERRIDES.
    """
    found: list[str] = []
    for word in arguments:
        found += _words_of(Path(word[1:])) if word.startswith("@") else [word]
    return found


def _words_of(file: Path) -> list[str]:
    wanted = f"expected a JSON object of config keys and values in '{file}'"
    try:
        content = json.loads(file.read_text())
        values = content.get(OVERRIDES, content)
        return [f"{key}={json.dumps(value)}" for key, value in flatten(values)]
    except OSError as error:
        raise KitError(f"{wanted}, got: {error.strerror}; kit tune writes one") from None
    except (ValueError, AttributeError) as error:
        raise KitError(f"{wanted}, got: {error}; mend or remake it") from None


def _parse(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise KitError(f"expected key=value, such as train.epochs=8, got '{word}'")
    try:
        return key, json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except json.JSONDecodeError:
        return key, text
