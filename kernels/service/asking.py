"""One question to Kaggle: asked again where that helps, and any no made a line for the person."""

import contextlib
import io
import re
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import requests

from common.environment import redact
from common.errors import KitError

from .answers import UNREACHABLE, Doing, explain

T = TypeVar("T")
PAUSE, LONGEST = 2.0, 60.0  # seconds before asking again: the first, doubled each time, and at most
OBEYED = 300.0  # seconds that Kaggle's own Retry-After may ask for
TRIES, PATIENT = 4, 12  # how often; while something runs for hours
SECRETS: set[str] = set()  # of the account in use, also where they came from a file


def ask(doing: Doing, call: Callable[[], T], *, once: bool = False, tries: int = TRIES) -> T:
    """Return what `call` returns; what it prints is left out, since it may name signed addresses.

    Args:
        once: it must not happen twice (a submission costs an attempt): asked again only where
            Kaggle surely did nothing.

    Raises:
        Refused: Kaggle says no, or nothing; see answers.py.
        KitError: the kaggle package itself objects.
    """
    for tried in range(1, tries + 1):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return call()
        except requests.RequestException as error:
            if tried == tries or not _again(error, once):
                raise explain(doing, status_of(error), hide(reason(error))) from None
            pause = _pause(error, tried)
            said = f"HTTP {status_of(error)}" if status_of(error) else reason(error)
            # Not to the standard output: of a question within another that is left out.
            print(f"  {hide(said)}; asking again in {pause:.0f} s", file=sys.stderr, flush=True)
        except KitError:
            raise
        except ValueError as error:  # what the package checks before it asks
            raise KitError(
                f"expected to {doing.what}, got: {hide(str(error))}; pack anew"
            ) from None
        time.sleep(pause)
    raise AssertionError("unreachable")


def status_of(error: requests.RequestException) -> int:
    """Return the status of HTTP, 0 if there was no answer."""
    return UNREACHABLE if error.response is None else error.response.status_code


def reason(error: requests.RequestException) -> str:
    """Return why, without addresses: those of storage carry signatures."""
    if error.response is not None:
        return re.sub(r"\s*for url: \S+", "", str(error))
    known = re.search(r"\[Errno -?\d+\] [\w ]+|timed out|refused|reset by peer", str(error))
    return f"no answer ({known.group(0) if known else type(error).__name__})"


def hide(text: str) -> str:
    """Return the text without the account's secrets."""
    for secret in SECRETS:
        text = text.replace(secret, "***")
    return redact(text)


def _again(error: requests.RequestException, once: bool) -> bool:
    status = status_of(error)
    if status == 429 or "NewConnectionError" in repr(error) or "NameResolution" in repr(error):
        return True
    lost = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    return not once and (status >= 500 or (status == UNREACHABLE and isinstance(error, lost)))


def _pause(error: requests.RequestException, tried: int) -> float:
    wanted = "" if error.response is None else error.response.headers.get("Retry-After", "")
    if wanted.isdigit():
        return min(float(wanted), OBEYED)
    return min(PAUSE * 2 ** (tried - 1), LONGEST)
