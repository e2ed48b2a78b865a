"""Windows of pictures with their masks, at the picture's own resolution."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from common.data.dataset import Transform, Weights, to_tensor
from common.data.frame import FIX, check_ids
from common.data.image import image_size
from common.data.mapped import open_picture
from common.data.masks import check_mask_size, code_text, read_mask, refuse_black_and_white
from common.data.texts import Texts
from common.data.windows import Window, cut, window_grid, window_id
from common.errors import KitError
from common.keys import GROUP, IGNORE, IMAGE, IMAGE_ID, INDEX, MASK, PATH, WEIGHT

NO_GROUP = -1  # code of pictures that were appended


class MaskDataset(Dataset[dict[str, Any]]):
    """The windows that cover the pictures of a frame, each pixel once.

    Nothing is resized. Beyond a picture's border it is reflected, and the mask says IGNORE.

    Args:
        frame: columns image_id, path, mask (path or run-length code) and, if there are any, group
            (int codes).
        size: pixels, side of the windows; None: each picture is one window of its own size.
        num_classes: see `read_mask`.
        transform: called as `transform(image=(H, W, 3) uint8, mask=(H, W) uint8)`, seeded anew for
            each sample by (seed, epoch, index).
        seed: of the augmentation and of the jitter.
        jitter: in each epoch every window is moved by up to half its side or so, but not beyond the
            border, so that an epoch sees each pixel about once and never the same cuts.
        folder: where uncompressed copies of large compressed files go.
        ignore: value of mask files that counts nowhere; see `ignored_value`.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        size: int | None,
        num_classes: int = 1,
        transform: Transform | None = None,
        seed: int = 0,
        jitter: bool = False,
        folder: Path | None = None,
        ignore: int | None = None,
    ) -> None:
        _check(frame)
        self.size, self.num_classes, self.folder = size, num_classes, folder
        self.ignore = ignore
        self.transform, self.seed, self.jitter = transform, seed, jitter
        self._ids, self._paths = Texts(map(str, frame[IMAGE_ID])), Texts(map(str, frame[PATH]))
        self._masks = Texts(map(code_text, frame[MASK]))
        self._groups = frame[GROUP].to_numpy(np.int64) if GROUP in frame else None
        self._own = len(frame)  # rows of the frame; those after them were appended
        self._sizes = np.array([image_size(path) for path in self._paths])
        self._windows = _windows(self._sizes, size)
        self.columns: dict[str, pd.Categorical] = {}  # by which scores are broken down
        self.weights: Weights | None = None  # of pictures
        for row, (height, width) in enumerate(self._sizes.tolist()):
            check_mask_size(self._masks[row], height, width)
        refuse_black_and_white(self._masks, num_classes, ignore=ignore)
        # Shared memory, so that workers which outlive an epoch see the next one begin.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return IMAGE `(3, S, S)` and MASK `(S, S)` uint8, INDEX, GROUP, WEIGHT, IMAGE_ID."""
        index = range(len(self))[index]
        window = self._jittered(index) if self.jitter else self.window(index)
        sample = {"image": self._picture(index, window), "mask": self._mask(index, window)}
        if self.transform is not None:
            sample = self._augment(self.transform, sample, index)
        group = 0 if self._groups is None else int(self._groups[self.row(index)])
        weighed = {} if self.weights is None else {WEIGHT: self._weight(index, self.weights)}
        return {
            IMAGE: to_tensor(sample["image"]),
            MASK: torch.from_numpy(np.array(sample["mask"], order="C")),
            INDEX: index,
            GROUP: group,
            **weighed,
            IMAGE_ID: self.image_id(index),
        }

    @property
    def pictures(self) -> int:
        """How many pictures the windows are of."""
        return len(self._ids)

    def append(self, frame: pd.DataFrame, weights: Weights) -> None:
        """Append further pictures, of no group.

        Args:
            frame: columns image_id, path and mask: the path of a file of 0 and 1 for one class,
                else of classes, with IGNORE where nothing is known.
            weights: of all pictures, those from before first.
        """
        sizes = np.array([image_size(path) for path in frame[PATH]]).reshape(-1, 2)
        for mask, (height, width) in zip(frame[MASK], sizes.tolist(), strict=True):
            check_mask_size(mask, height, width)
        windows = _windows(sizes, self.size) + np.array([self.pictures, 0, 0, 0, 0])
        self._ids = Texts([*self._ids, *map(str, frame[IMAGE_ID])])
        self._paths = Texts([*self._paths, *map(str, frame[PATH])])
        self._masks = Texts([*self._masks, *frame[MASK]])
        if self._groups is not None:
            self._groups = np.concatenate([self._groups, np.full(len(frame), NO_GROUP)])
        self._sizes = np.concatenate([self._sizes, sizes])
        self._windows = np.concatenate([self._windows, windows])
        self.weights = weights

    def raw(self, index: int) -> np.ndarray:
        """Return a window without jitter and augmentation, `(S, S, 3)` uint8."""
        return self._picture(index, self.window(index))

    def raw_mask(self, index: int) -> np.ndarray:
        """Return its mask, `(S, S)` uint8."""
        return self._mask(index, self.window(index))

    def image_id(self, index: int) -> str:
        """Return the id of a window, such as "austin1@512,1024": its place without jitter."""
        return window_id(self._ids[self.row(index)], self.window(index))

    def row(self, index: int) -> int:
        """Return which row of the frame a window is of."""
        return int(self._windows[index, 0])

    def window(self, index: int) -> Window:
        """Return the place of a window without jitter."""
        return Window(*self._windows[index, 1:].tolist())

    def deal_targets(self, order: np.ndarray) -> None:
        """Give each row of the frame the mask of row `order[row]`, which must be of its size."""
        self._masks = Texts(self._masks[row] for row in order.tolist())

    @property
    def strata(self) -> np.ndarray:
        """Codes of the sizes of the frame's rows; masks may be dealt among rows of one code."""
        return np.unique(self._sizes, axis=0, return_inverse=True)[1].reshape(-1)

    @property
    def epoch(self) -> int:
        """The epoch whose jitter and augmentation are drawn."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw those of another epoch from now on, in workers that run already, too."""
        self._epoch.fill_(epoch)

    def _picture(self, index: int, window: Window) -> np.ndarray:
        pixels = open_picture(self._paths[self.row(index)], self.folder)
        return cut(pixels, window)

    def _mask(self, index: int, window: Window) -> np.ndarray:
        row = self.row(index)
        height, width = self._sizes[row].tolist()
        text, num_classes = self._masks[row], self.num_classes
        # A pseudo-label may leave out pixels, whatever the files of the true ones say.
        ignore = self.ignore if row < self._own else IGNORE
        return read_mask(text, height, width, num_classes, window, self.folder, ignore)

    def _weight(self, index: int, weights: Weights) -> Tensor:
        return weights(self.row(index), self.epoch)

    def _jittered(self, index: int) -> Window:
        top, left, height, width = self.window(index)
        # The second word of the counter keeps clear of the draws that `seed_transform` makes.
        counter = np.array((0, 1, 0, index), np.uint64)
        draws = np.random.Philox(counter=counter, key=[self.seed % 2**64, self.epoch]).random_raw(2)
        rows, columns = self._sizes[self.row(index)].tolist()
        starts = (
            _moved(top, height, rows, int(draws[0])),
            _moved(left, width, columns, int(draws[1])),
        )
        return Window(*starts, height, width)

    def _augment(
        self, transform: Transform, sample: Mapping[str, np.ndarray], index: int
    ) -> dict[str, Any]:
        from common.data.transforms import seed_transform  # a second for those who augment only

        seed_transform(transform, self.seed, self.epoch, index)
        return transform(**sample)


def _moved(start: int, length: int, limit: int, draw: int) -> int:
    """Return a start moved by up to half a length or so, such that the window stays within limit.

    The windows of an axis share it evenly: from half a length before it to half a length before
    its end there is one start in each of equal parts.
    """
    count, share = -(-limit // length), draw / 2**64
    moved = int((start // length + share) * limit / count) - length // 2
    return max(min(moved, limit - length), 0)


def _windows(sizes: np.ndarray, size: int | None) -> np.ndarray:
    """Return `(N, 5)` int64: row of the frame and place of every window."""
    return np.array(
        [
            (row, *window)
            for row, (height, width) in enumerate(sizes.tolist())
            for window in (
                window_grid(height, width, size) if size else [Window(0, 0, height, width)]
            )
        ],
        np.int64,
    )


def _check(frame: pd.DataFrame) -> None:
    check_ids(frame)
    for column in (PATH, MASK):
        if column not in frame.columns:
            raise KitError(f"expected column '{column}', found {list(frame.columns)}; {FIX}")
    if GROUP in frame and frame[GROUP].dtype.kind not in "iub":
        raise KitError(
            f"expected whole numbers in column '{GROUP}', got {frame[GROUP].dtype}; encode them "
            "with pd.factorize in competitions/<name>/data.py"
        )
