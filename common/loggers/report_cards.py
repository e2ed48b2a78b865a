"""Rows of tables that hold pictures, as cards: a picture and what is said of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.figures.grid import format_value
from common.loggers.report_album import Album

TRUTHS = ("truth", "target", "label", "given", "actual")
PREDICTIONS = ("prediction", "pred", "preds", "predicted", "suggested")
GROUP = "why"  # the column that says why a sample is shown
MAX_TEXT = 160  # characters of a value
Rows = Sequence[Mapping[str, Any]]
Card = dict[str, Any]


def read_table(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a parquet file; pictures are the bytes of JPEG files."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def is_pictured(rows: Rows, key: str) -> bool:
    """Tell whether a column holds pictures."""
    return any(isinstance(row[key], bytes) for row in rows)


def find_cards(rows: Rows, album: Album) -> list[tuple[str, list[Card]]]:
    """Return cards under the reasons that `why` gives, or under one empty heading.

    Of each group the first are shown, as many as the album's level allows all together.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row.get(GROUP) or ""), []).append(row)
    each = max(1, album.level.cards // len(groups))
    made = [(why, [_card(row, album) for row in found[:each]]) for why, found in groups.items()]
    return [(why[:1].upper() + why[1:], [c for c in cards if c["uris"]]) for why, cards in made]


def over_time(states: Sequence[tuple[float, Rows]], album: Album) -> list[Card]:
    """Return a card per sample of the last epoch, with what was said of it earlier, last first.

    A picture that is the same at several epochs is held once.

    Args:
        states: epoch and rows of a table whose rows are the same samples every time.
    """
    cards = []
    for row in states[-1][1][: album.level.cards]:
        card, seen = _card(row, album), {_picture(row)}
        if not card["uris"]:
            continue
        history = []
        for epoch, rows in states[-2::-1]:
            then = next((r for r in rows if r.get("image_id") == row.get("image_id")), None)
            if then is None:
                continue
            new = _picture(then) not in seen
            seen.add(_picture(then))
            uri = album.uri(_picture(then), ".jpg") if new and _picture(then) else ""
            history.append({"epoch": f"{epoch:g}", "uri": uri, **_words(then)})
        cards.append({**card, "history": history})
    return cards


def _card(row: Mapping[str, Any], album: Album) -> Card:
    """Return a row's pictures and words."""
    pictures = [value for value in row.values() if isinstance(value, bytes)]
    uris = [uri for uri in (album.uri(data, ".jpg") for data in pictures) if uri]
    return {"uris": uris, **_words(row)}


def _picture(row: Mapping[str, Any]) -> bytes:
    return next((value for value in row.values() if isinstance(value, bytes)), b"")


def _words(row: Mapping[str, Any]) -> Card:
    """Return `head` (truth and prediction), `notes` (the rest) and whether the two agree."""
    truth, prediction = _first(row, TRUTHS), _first(row, PREDICTIONS)
    both = [key for key in (truth, prediction) if key]
    head = " → ".join(format_value(row[key]) for key in both)
    if "probability" in row and prediction:
        head += f" ({format_value(round(float(row['probability']), 2))})"
        both.append("probability")
    notes = {
        key.replace("_", " "): format_value(value)[:MAX_TEXT]
        for key, value in row.items()
        if key not in {*both, GROUP} and value is not None and not isinstance(value, bytes)
    }
    # Counts and shares are never quite equal; classes are.
    judged = truth and prediction and not {"iou", "score", "count"} & row.keys()
    right = row[truth] == row[prediction] if judged and truth and prediction else None
    return {"head": head[:MAX_TEXT], "notes": notes, "right": right}


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((key for key in row if key in names and row[key] is not None), None)
