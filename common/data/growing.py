"""Images that grow from epoch to epoch."""

from common.config import Config
from common.errors import KitError

STEP = 32  # pixels, the coarsest stride of usual networks
FULL_FROM = 0.75  # share of the epochs from which on images are whole


def sides_of(config: Config) -> list[int]:
    """Return the side of each epoch's training images in pixels; none if all are alike.

    Progressive resizing (Howard 2018; Tan & Le 2021) helps where time is short: early epochs, which
    learn what is coarse, cost less. Sides grow evenly in steps of 32 and are whole for the last
    quarter, so that the network ends on what it will be asked.

    Raises:
        KitError: there is no size to grow to, or none to grow from.
    """
    start, end = config.data.start_size, config.data.img_size
    if start is None:
        return []
    if end is None or start > end:
        raise KitError(
            f"expected data.start_size up to data.img_size={end}, got {start}; set img_size, or "
            "take start_size out"
        )
    epochs = config.train.freeze_epochs + config.train.epochs
    whole = min(FULL_FROM * epochs, epochs - 1)  # the epoch from which on they are
    return [end if epoch >= whole else _side(start, end, epoch / whole) for epoch in range(epochs)]


def _side(start: int, end: int, share: float) -> int:
    return start + int((end - start) * share) // STEP * STEP
