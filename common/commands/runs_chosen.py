"""Which runs `kit runs` lists, and in which order."""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from common.competition import Competition, list_competitions
from common.config import flatten
from common.errors import KitError, did_you_mean
from common.metrics.choose import KNOWN

Row = Mapping[str, Any]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "!=": ne,
    ">=": ge,
    "<=": le,
    "=": eq,
    ">": gt,
    "<": lt,
}
CONDITION = re.compile(r"(?P<name>[^=<>!]+)(?P<sign>[<>!]=|[=<>])(?P<text>.*)")
FIELDS = ("experiment", "fold", "status", "best_epoch", "seconds")
BOARDS = {"LB": "public", "LB private": "private"}
SMALLER = ("loss", "seconds", "fold", "best_epoch")  # the better; of what is no known metric


def choose(rows: Sequence[Row], by: str, conditions: Iterable[str]) -> list[Row]:
    """Return the rows for which all conditions hold, in order.

    Rows without a value fulfil no condition on it but `!=`, and come last, as those with NaN do.

    Args:
        by: a metric, the best run first, or a number of the config, the largest first; empty: as
            they come.
        conditions: such as `train.lr>0.001`, `status=finished`.

    Raises:
        KitError: a condition is none, no run knows a name, or words are asked for their size.
    """
    known = dict.fromkeys(key for row in rows for key in _known(row)) if rows else None
    for condition in conditions:
        found = CONDITION.fullmatch(condition)
        if found is None:
            raise KitError(
                f"expected a condition such as train.lr=0.001 or accuracy>0.9, got '{condition}'; "
                f"signs are {' '.join(COMPARE)} (quote them for the shell)"
            )
        name, sign, text = (part.strip() for part in found.group("name", "sign", "text"))
        _check_known(name, known, "--where")
        rows = [row for row in rows if _holds(_known(row).get(name), sign, text, condition)]
    if not by:
        return list(rows)
    _check_known(by, known, "--sort")
    return sorted(rows, key=lambda row: _rank(row, by))


def _rank(row: Row, name: str) -> float:
    value = _known(row).get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.inf
    if not isinstance(value, int | float):
        raise KitError(
            f"expected numbers to sort by, '{name}' of {row['name']} is {value!r}; "
            "sort by a metric, and choose by --where"
        )
    return -value if _is_maximised(row, name) else value


def _is_maximised(row: Row, name: str) -> bool:
    short = name.rpartition("/")[2]
    known = dict(KNOWN[row["config"]["task"]])
    if row["competition"] in list_competitions():  # its own; others' names may mean other things
        own = getattr(Competition(row["competition"]).module("config"), "METRICS", ())
        known |= {metric.name: metric for metric in own}
    return known[short].maximise if short in known else not short.endswith(SMALLER)


def _known(row: Row) -> dict[str, Any]:
    """Return all that a row can be asked for, by the names that the table shows."""
    scores = dict(row.get("metrics") or {})
    short = {name.removeprefix("valid/"): value for name, value in scores.items()}
    board = row.get("leaderboard") or {}
    boards = {name: board[key] for name, key in BOARDS.items() if board.get(key) is not None}
    fields = {name: row.get(name) for name in FIELDS}
    own = {**short, **scores, **boards, **fields}  # first, as hints show them in this order
    return own | {k: v for k, v in flatten(row["config"]) if k not in own}


def _check_known(name: str, known: Iterable[str] | None, option: str) -> None:
    if known is not None and name not in known:
        raise KitError(
            f"expected a metric or a config key in {option}, got '{name}'; "
            f"{did_you_mean(name, known)}"
        )


def _holds(value: Any, sign: str, text: str, condition: str) -> bool:
    wanted = _parse(text)
    if sign in ("=", "!="):
        same = value == wanted or _text(value) == text
        return same == (sign == "=")
    if value is None:
        return False
    if not isinstance(wanted, int | float) or not isinstance(value, int | float):
        raise KitError(
            f"expected numbers on both sides of '{condition}', got {value!r} and '{text}'; "
            "words are compared by = and !="
        )
    return COMPARE[sign](value, wanted)


def _parse(text: str) -> Any:
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except json.JSONDecodeError:
        return text


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
