import pytest

from common import session
from common.session import FINISHING, SAVE, SHARE, STEP, VALIDATION, Session


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(session, "STARTED", 0.0)
    now = [0.0]
    monkeypatch.setattr(Session, "now", staticmethod(lambda: now[0]))
    return now


def test_what_lies_ahead_decides(clock):
    ours = Session(1.0)
    for name, seconds in ((STEP, 9.0), (STEP, 3.0), (VALIDATION, 600.0), (SAVE, 30.0)):
        ours.took(name, seconds)
    assert ours.margin(STEP, SAVE) == 2 * (9 + 30) + FINISHING
    clock[0] = 3600 - ours.margin(VALIDATION, SAVE)
    assert not ours.is_over(VALIDATION, SAVE)
    clock[0] += 1
    assert ours.is_over(VALIDATION, SAVE)
    assert not ours.is_over(STEP, SAVE)
    clock[0] = 3600 - ours.margin(STEP, SAVE) + 1
    assert ours.is_over(STEP, SAVE)


def test_short_limits_keep_a_short_margin_and_none_is_never_over(clock):
    assert Session(0.01).margin() == pytest.approx(36 * SHARE)
    clock[0] = 1e9
    assert not Session(0).is_over(STEP)
