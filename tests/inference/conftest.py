"""A clock that tests move on by hand."""

import pytest

from common import session
from common.session import Session

from .hours import Clock


@pytest.fixture
def clock(monkeypatch):
    Clock.now = 10.0  # what importing took
    monkeypatch.setattr(session, "STARTED", 0.0)
    monkeypatch.setattr(Session, "now", staticmethod(lambda: Clock.now))
    return Clock
