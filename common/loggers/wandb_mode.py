"""Whether a Weights & Biases run goes online, decided before wandb could wait for a network."""

import netrc
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

PROBE_SECONDS = 3.0


def choose_mode(base_url: str, asked: str | None = None) -> str:
    """Return the mode of a run: what is asked for, else WANDB_MODE, else what can work.

    Online needs a key and a network, so it is not tried in the rerun of a Kaggle competition. Even
    if asked for it needs a host that answers: some versions of wandb wait for one without end.
    """
    base_url = os.environ.get("WANDB_BASE_URL") or base_url
    mode = asked or os.environ.get("WANDB_MODE")
    if mode not in (None, "online"):
        return mode
    if mode is None and (os.environ.get("KAGGLE_IS_COMPETITION_RERUN") or not _has_key(base_url)):
        return "offline"
    if _answers(base_url):
        return "online"
    print(f"wandb: going offline, {base_url} does not answer", flush=True)
    return "offline"


def why_no_account(base_url: str) -> str:
    """Return what is lacking for work that only the service can do; "" if nothing is."""
    base_url = os.environ.get("WANDB_BASE_URL") or base_url
    mode = os.environ.get("WANDB_MODE")
    if mode not in (None, "online"):
        return f"WANDB_MODE={mode}"
    if not _has_key(base_url):
        return "no login"
    return "" if _answers(base_url) else f"no answer from {base_url}"


def _has_key(base_url: str) -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        logins = netrc.netrc(os.environ.get("NETRC") or Path.home() / ".netrc")
    except (OSError, netrc.NetrcParseError):
        return False
    return (urlsplit(base_url).hostname or "") in logins.hosts


def _answers(base_url: str) -> bool:
    url = urlsplit(base_url)
    port = url.port or (80 if url.scheme == "http" else 443)
    try:
        socket.create_connection((url.hostname or "", port), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True
