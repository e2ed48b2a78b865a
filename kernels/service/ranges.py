"""Asking for a file from a byte on."""

from typing import Any

import requests

TIMEOUT = 60.0  # seconds without a byte
BEYOND = 416  # the status of a range that begins at the end


def open_address(address: str, start: int = 0, same_as: str = "") -> requests.Response:
    """Open a file; all of it comes where it is no longer the same as that tag."""
    return _open("GET", address, range_headers(start, same_as))


def reopen(found: requests.Response, start: int, same_as: str) -> requests.Response:
    """Open again what an answer led to, after all redirects, from a byte on."""
    found.close()
    asked = found.request  # on another host it carries no credentials any more
    headers = {**asked.headers, **range_headers(start, same_as)}
    return _open(str(asked.method), str(asked.url), headers, asked.body)


def range_headers(start: int, same_as: str) -> dict[str, str]:
    """Return the headers that ask for what is left of a file."""
    if not start:
        return {}
    return {"Range": f"bytes={start}-"} | ({"If-Range": same_as} if same_as else {})


def _open(method: str, address: str, headers: dict[str, str], body: Any = None) -> Any:
    answer = requests.request(
        method, address, headers=headers, data=body, stream=True, timeout=TIMEOUT
    )
    if answer.status_code != BEYOND:
        answer.raise_for_status()
    return answer
