"""The session that this process is: when it began, and when it has to be over."""

import os
import time

# seconds; when the kit was first imported, by the process that started this one if one did
STARTED = float(os.environ.get("KIT_STARTED") or time.monotonic())
FINISHING = 60.0  # seconds that loggers and the report may take in the end
SHARE = 0.05  # of a limit, if that is less
STEP, VALIDATION, SAVE = "step", "validation", "save"  # what takes time
NORMS = "norms"  # statistics of batch norms, computed anew


class Session:
    """What is left of a time limit, with a margin from what was measured.

    Args:
        hours: from the start of the process to its end; 0 = no limit.
    """

    def __init__(self, hours: float = 0) -> None:
        self.hours = hours
        self.longest: dict[str, float] = {}  # seconds, by what took them

    @staticmethod
    def now() -> float:
        """Return seconds on a clock that only rises."""
        return time.monotonic()

    def took(self, name: str, seconds: float) -> None:
        """Remember how long a step, a validation or a save took at most."""
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def margin(self, *ahead: str) -> float:
        """Return seconds to keep for what lies ahead, twice as long as ever, and for finishing."""
        known = sum(self.longest.get(name, 0.0) for name in ahead)
        return 2 * known + min(FINISHING, SHARE * 3600 * self.hours)

    def is_over(self, *ahead: str) -> bool:
        """Return whether there is no time left for what lies ahead."""
        if not self.hours:
            return False
        return self.now() - STARTED + self.margin(*ahead) > 3600 * self.hours
