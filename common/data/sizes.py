"""Sizes of pictures from their headers; of one that cannot be read, the most common among them."""

import warnings
from collections import Counter
from functools import cached_property

import pandas as pd

from common.data.image import image_size
from common.errors import KitError
from common.keys import IMAGE_ID, PATH

Size = tuple[int, int]  # height and width


class Sizes:
    """Sizes of the pictures of a frame, which are looked up as they are asked for.

    Args:
        frame: columns image_id and path.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.paths = frame[PATH].astype(str).tolist()

    def of(self, row: int) -> Size:
        """Return a picture's (height, width), or the most common one with a warning.

        Raises:
            KitError: not one header of the frame can be read.
        """
        try:
            return image_size(self.paths[row])
        except Exception as error:  # what a file can do to a reader has no common base class
            warnings.warn(
                f"'{self.paths[row]}' is taken for one of {self.usual[1]} x {self.usual[0]} "
                f"(width x height), as most are: {error}",
                stacklevel=2,
            )
            return self.usual

    @cached_property
    def usual(self) -> Size:
        """The most common size; of equally common ones that which comes first."""
        found = [size for path in self.paths if (size := _size_if_whole(path))]
        if not found:
            told = f"got {len(self.paths)} of {len(self.paths)} broken"
            raise KitError(f"expected images that can be read, {told}, such as '{self.paths[0]}'")
        return Counter(found).most_common(1)[0][0]


def image_sizes(frame: pd.DataFrame) -> dict[str, Size]:
    """Return (height, width) of each picture by its id; see `Sizes`."""
    sizes = Sizes(frame)
    return {image_id: sizes.of(row) for row, image_id in enumerate(frame[IMAGE_ID].astype(str))}


def _size_if_whole(path: str) -> Size | None:
    try:
        return image_size(path)
    except Exception:  # as above
        return None
