"""What happened while predicting, for whoever has to tell it, such as a kernel's report."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pandas as pd

from common import distributed
from common.data.division import expect_same_images
from common.errors import KitError
from common.keys import IMAGE_ID, PATH

MAX_NAMED = 20  # broken images with a warning each; the others are counted


@dataclass
class Outcome:
    """Facts of one prediction; `broken_ids` and `given_up` are empty where all went well."""

    images: int = 0
    seconds: float = 0.0  # from the first checkpoint's loading to the last image's prediction
    given_up: list[str] = field(default_factory=list)  # sentences, in the order of what happened
    broken: dict[int, str] = field(default_factory=dict)  # row of the frame -> what is wrong
    broken_ids: list[str] = field(default_factory=list)

    def give_up(self, text: str) -> None:
        """Say and remember what there was no time for."""
        self.given_up.append(text)
        print(f"warning: OUT OF TIME: {text}", flush=True)

    def lose(self, frame: pd.DataFrame, row: int, error: str) -> None:
        """Say and remember that an image cannot be read; again and again, it is said once.

        Raises:
            KitError: it was the last of them, and there is not one to predict.
        """
        if row in self.broken:
            return
        self.broken[row] = error
        self.broken_ids.append(str(frame[IMAGE_ID].iloc[row]))
        self._refuse_all(frame)
        if len(self.broken) <= MAX_NAMED:
            path = frame[PATH].iloc[row]
            warnings.warn(f"test image '{path}' gets a fallback prediction: {error}", stacklevel=3)

    def share(self, frame: pd.DataFrame) -> None:
        """Take what happened in all processes that predict together.

        Raises:
            KitError: there is not one image to predict in any of them.
        """
        if distributed.size() == 1:
            return
        parts = distributed.gather((self.broken, self.given_up))
        self.broken = dict(sorted(one for broken, _ in parts for one in broken.items()))
        self.broken_ids = [str(frame[IMAGE_ID].iloc[row]) for row in self.broken]
        self.given_up = [text for _, given_up in parts for text in given_up]
        self._refuse_all(frame)

    def _refuse_all(self, frame: pd.DataFrame) -> None:
        if len(self.broken) == len(frame):
            raise KitError(
                f"expected test images that can be read, got {len(frame)} of {len(frame)} broken; "
                f"the first: {self.broken[min(self.broken)]}"
            )


_last = Outcome()


def last_outcome() -> Outcome:
    """Return the facts of the prediction that runs, or of the one before it ends otherwise.

    There is one per process; each `predict_classes`, `predict_masks` and `predict_boxes` begins a
    new one.
    """
    return _last


@contextmanager
def predicting(frame: pd.DataFrame) -> Iterator[Outcome]:
    """Begin a new outcome, which keeps the time until the end of the block.

    Raises:
        KitError: other processes have other images.
    """
    global _last
    expect_same_images(frame)
    outcome = _last = Outcome(images=len(frame))
    started = time.monotonic()
    try:
        yield outcome
    finally:
        outcome.seconds = time.monotonic() - started
    more = len(outcome.broken) - MAX_NAMED
    if more > 0:
        warnings.warn(f"{more} more test images get a fallback prediction", stacklevel=3)
