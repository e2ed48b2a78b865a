"""From probabilities of a picture to what is submitted: its foreground, or its objects."""

from typing import NamedTuple

import numpy as np

from common.inference.instances import Method, instances
from common.metrics.parts import drop_small

USUAL, USUAL_DISTANCE = 0.5, 5  # threshold and pixels where none are tuned


class MaskRule(NamedTuple):
    """How probabilities of a picture are decided on."""

    threshold: float = USUAL  # of one class
    min_area: int = 0  # pixels of the picture
    method: Method = "components"  # of objects
    min_distance: int = USUAL_DISTANCE  # pixels, see `instances`

    def foreground(self, found: np.ndarray) -> np.ndarray:
        """Return where something is, without small parts.

        Args:
            found: `(H, W)` probabilities of one class, or `(C, H, W)` of several.

        Returns:
            `(H, W)` bool, or `(C - 1, H, W)` of each class but the background.
        """
        if found.ndim == 2:
            return drop_small(found >= self.threshold, self.min_area)
        classes = found.argmax(0)
        own = [drop_small(classes == number, self.min_area) for number in range(1, len(found))]
        return np.stack(own)

    def objects(self, found: np.ndarray) -> np.ndarray:
        """Return `(H, W)` int32, 0 for the background, of `(H, W)` probabilities of one class."""
        return instances(found, self.threshold, self.min_area, self.method, self.min_distance)

    def __str__(self) -> str:
        least = f"parts of {self.min_area} pixels or more" if self.min_area > 1 else "all parts"
        apart = f", {self.min_distance} pixels apart" if self.method == "watershed" else ""
        return f"threshold {self.threshold:.4g}, {least}, objects by {self.method}{apart}"
