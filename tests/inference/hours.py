"""A clock that goes on only where work says so."""

HOUR = 3600.0


class Clock:
    """Seconds that go on only where work says so."""

    now = 0.0


def hours(seconds: float) -> float:
    """The limit whose end, without the margin, is after so many seconds."""
    return max(seconds / 0.95, 0.0) / HOUR if seconds < 0.95 * 1200 else (seconds + 60) / HOUR
