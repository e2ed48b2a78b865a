"""Several labels per image as words in one cell."""

from collections.abc import Collection

from common.data.label_words import words_of

SEPARATORS = (" ", "|", ",", ";")


def separator_of(cells: Collection[str]) -> str:
    """Return what parts the labels of different cells; empty if a cell is one class.

    Names of classes may have spaces, too. Labels are fewer than the cells that they combine to,
    and not all cells have as many.
    """
    for separator in SEPARATORS:
        parted = [words_of(cell, separator) for cell in cells]
        words = {word for part in parted for word in part}
        twice = any(len(set(part)) < len(part) for part in parted)
        counts = {len(part) for part in parted}
        if max(counts) > 1 and len(counts) > 1 and len(words) < len(parted) and not twice:
            return separator
    return ""


def labels_of(cells: Collection[str], separator: str) -> tuple[str, ...]:
    """Return the different labels, numbers by size and names by alphabet.

    Args:
        separator: empty: a cell is one class.
    """
    if not separator:
        return tuple(sorted(cells))
    words = {word for cell in cells for word in words_of(cell, separator)}
    return tuple(sorted(words, key=lambda word: (int(word) if word.isdecimal() else 0, word)))
