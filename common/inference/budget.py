"""What of a prediction there is time for: it ends before its limit, whatever has to be given up.

Time is taken per unit of work: reading an image, one pass of one model over one image, loading a
model. What is ahead is a sum of units, so that the estimate holds for fewer passes and models too.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from common import session
from common.config import PredictConfig
from common.inference.outcome import Outcome

READ, PASS, LOAD, FUSE = "read", "pass", "load", "fuse"  # what takes time
MEMORY = 0.95  # weight of a measurement at the next one: what was long ago counts for little
FIRST_LINE, MOST = 15.0, 300.0  # seconds to the first line, and between two of them at most


class Budget:
    """Grants `models` and `passes` to the images that remain, fewer of them where time is short.

    The order of work is every image for the first model, then for the second; or, `by_image`,
    every model for the first image, then for the second. The first pass of the first model comes
    first: where not even that is done in time, `goes_on` tells to leave the other images.

    Args:
        options: `time_limit` and `fallback`; without a limit all is granted, always.
        rows: images.
        models, passes: what is planned, per image and per model.
        outcome: is told what is given up.
        by_image: see above.
    """

    def __init__(
        self,
        options: PredictConfig,
        rows: int,
        models: int,
        passes: int,
        outcome: Outcome,
        by_image: bool = False,
    ) -> None:
        self.options, self.rows, self.outcome, self.by_image = options, rows, outcome, by_image
        self.models, self.passes = models, passes
        self.model = self.row = 0  # where we are
        self.limit = 3600 * options.time_limit
        self._rates: dict[str, tuple[float, float]] = {}  # seconds and units, fading
        self._first: dict[str, tuple[float, float]] = {}  # of what was slow the first time
        self._fresh = {READ, PASS, FUSE}  # what is slow the first time, and says little
        self._last, self._line = session.Session.now(), FIRST_LINE
        self._began, self._over, self._batch, self._made = self._last, False, 0, 0.0

    def allows(self, model: int) -> bool:
        """Return whether there is time to load a model; the first one is always loaded."""
        rates = {**self._first, **self._rates}  # a model of one batch has no other
        if 0 < model < self.models and self._is_late(rates, loads=1):
            self.outcome.give_up(f"{self.models - model} of {self.models} models are left out")
            self.models = model
        return model < self.models

    def start_model(self, model: int) -> None:
        """Begin anew with the first image; what passed since the last lap was loading it."""
        self.model, self.row = model, 0
        self.lap(LOAD, 1)
        self._fresh |= {READ, PASS}

    def lap(self, kind: str, units: float) -> None:
        """Take the time since the last lap for so many units of a kind of work."""
        now = session.Session.now()
        seconds, self._last = now - self._last, now
        self._count(kind, seconds, units)
        self._made += units if kind == PASS else 0

    @contextmanager
    def aside(self, kind: str, units: float) -> Iterator[None]:
        """Take the time of a block, which the lap around it then leaves out."""
        began = session.Session.now()
        yield
        seconds = session.Session.now() - began
        self._last += seconds
        self._count(kind, seconds, units)

    def _count(self, kind: str, seconds: float, units: float) -> None:
        if kind in self._fresh:
            self._fresh.discard(kind)
            self._first[kind] = seconds, units
            return
        before, count = self._rates.get(kind, (0.0, 0.0))
        self._rates[kind] = MEMORY * before + seconds, MEMORY * count + units

    def knows(self, kind: str) -> bool:
        """Return whether a kind of work was measured."""
        return kind in self._rates

    def advance(self, rows: int) -> None:
        """Count images as done; see whether the others can be done like them, and say so."""
        self.row, self._batch = self.row + rows, max(self._batch, rows)
        if self._over:
            return
        for name in self.options.fallback if self.limit else ():
            if not self._fits(self.models, self.passes):
                {"tta": self._fewer_passes, "models": self._fewer_models}[name]()
        self._say()

    def goes_on(self) -> bool:
        """Return whether there is time for further images of this model; says so if not."""
        if self.model >= self.models or self.row >= self.rows:
            return False
        if self.row and self._is_late(self._rates):
            what = f"model {self.model + 1}" if self.model else "any model: they get the fallback"
            left = f"{self.rows - self.row} of {self.rows} images have no prediction of {what}"
            self.outcome.give_up(left)
            self._over = True
            return False
        return True

    def ahead(self, models: int, passes: int) -> float | None:
        """Return seconds that remain if so much is granted; None before they can be told."""
        if READ not in self._rates or PASS not in self._rates:
            return None
        return _cost(self._units(models, passes), self._rates)

    def _units(self, models: int, passes: int) -> Mapping[str, float]:
        rest = self.rows - self.row
        if self.by_image:
            return {READ: rest, PASS: rest * models * passes}
        later = max(models - self.model - 1, 0)
        pairs = later * self.rows + (rest if self.model < models else 0)
        ahead = pairs * passes
        return {READ: pairs, PASS: ahead, LOAD: later, FUSE: self._made + ahead}

    def _is_late(self, rates: Mapping[str, tuple[float, float]], loads: int = 0) -> bool:
        """Say whether one more batch would exceed the limit, of a model that is loaded or not."""
        rows = self._batch if loads else min(self._batch, self.rows - self.row)
        passes = rows * self.passes * (self.models if self.by_image else 1)
        units = {READ: rows, PASS: passes, LOAD: loads, FUSE: self._made + passes}
        cost = _cost(units, rates)
        return bool(self.limit) and self._passed() + cost > self._end()

    def _passed(self) -> float:
        return session.Session.now() - session.STARTED

    def _end(self) -> float:
        """Return when all has to be done, seconds from the start of the process."""
        return self.limit - session.Session(self.options.time_limit).margin()

    def _fits(self, models: int, passes: int) -> bool:
        ahead = self.ahead(models, passes)
        return ahead is None or self._passed() + ahead <= self._end()

    def _fewer_passes(self) -> None:
        before, until = self.passes, self._until()
        self.passes = _halve(before, lambda passes: self._fits(self.models, passes))
        if self.passes < before:
            self._give_up(f"{before} views would take {until}", f"{self.passes} of them")

    def _fewer_models(self) -> None:
        before, until = self.models, self._until()
        fitting = (m for m in range(before - 1, 0, -1) if self._fits(m, self.passes))
        self.models = next(fitting, 1)
        if self.models < before:
            self._give_up(f"{before} models would take {until}", f"{self.models} of them")

    def _until(self) -> str:
        end = self._passed() + (self.ahead(self.models, self.passes) or 0.0)
        return f"{end / 3600:.2f} h of {self.options.time_limit:g} h"

    def _give_up(self, why: str, what: str) -> None:
        where = "" if self.by_image else f" of model {self.model + 1}"
        self.outcome.give_up(f"{why}; after image {self.row} of {self.rows}{where}: {what} alone")

    def _say(self) -> None:
        """Print how far it is, ever less often."""
        since, ahead = self._last - self._began, self.ahead(self.models, self.passes)
        if ahead is None or since < self._line or self.row >= self.rows:
            return
        self._line = since + min(since, MOST)
        limit = f", limit {self.options.time_limit:g} h" if self.limit else ""
        print(
            f"predicting: image {self.row} of {self.rows}, model {self.model + 1} of "
            f"{self.models}, {self.passes} views each; {since / 60:.1f} min, "
            f"about {ahead / 60:.1f} min to go{limit}",
            flush=True,
        )


def _cost(units: Mapping[str, float], rates: Mapping[str, tuple[float, float]]) -> float:
    """Return seconds of units of work; what was never measured costs nothing."""
    known = {kind: seconds / count for kind, (seconds, count) in rates.items() if count}
    return sum(known.get(kind, 0.0) * count for kind, count in units.items())


def _halve(count: int, fits: Callable[[int], bool]) -> int:
    """Return the largest half of a half ... that fits, at least 1."""
    while count > 1:
        count //= 2
        if fits(count):
            break
    return count
