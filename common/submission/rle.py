"""Run-length code as submissions write it; the code itself lies with the data, which reads it."""

from common.data.rle import Order, decode, encode, encode_instances, merge, parse
from common.errors import KitError

__all__ = ["Order", "check_rle", "decode", "encode", "encode_instances", "merge"]


def check_rle(text: str, size: tuple[int, int] | None = None, start: int = 1) -> str | None:
    """Return what is wrong with a code, or None: a `SubmissionRules.parse` with `partial`.

    Args:
        text: the code; an empty one is right here, `SubmissionRules.allow_empty` decides on it.
        size: height and width; None where images differ in size, then only the form is checked.
        start: number of the first pixel.
    """
    try:
        parse(text, size, start)
    except KitError as error:
        return str(error)
    return None
