"""From rows of a frame to samples: dicts of the keys in `common.keys`, the image first."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from common.data.frame import FIX, check_ids
from common.data.image import read_image
from common.data.targets import unknown_rows
from common.errors import KitError, did_you_mean
from common.keys import IMAGE, IMAGE_ID, INDEX, LABEL, PATH, WEIGHT

Read = Callable[[str, int], np.ndarray]
Transform = Callable[..., dict[str, Any]]


class Weights(Protocol):
    """How much the loss of each sample counts."""

    def __call__(self, index: int, epoch: int) -> Tensor:
        """Return the weight of a sample in an epoch, a scalar."""

    def counting(self, epoch: int) -> int:
        """Return how many samples, from the first on, an epoch may learn from."""


class ImageDataset(Dataset[dict[str, Any]]):
    """Images with ids and, for training, labels.

    Everything a worker touches is one block of memory (no Python object per row), so that forked
    workers share it instead of copying it little by little.

    Args:
        frame: columns image_id, path and the targets.
        transform: called as `transform(image=(H, W, 3) uint8)["image"]`, seeded anew for each
            sample by (seed, epoch, index, turn); it keeps uint8, for the model normalises.
        seed: of the augmentation.
        min_side: see `read_image`; with crops that are enlarged, more than the size of the result.
        target: column for LABEL: int64 class, or float32 if the column is float; a list of columns
            gives a float32 vector; None gives samples without LABEL.
        read: `read(path, min_side)`; a `ResizedCache` fits.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        transform: Transform | None = None,
        seed: int = 0,
        min_side: int = 0,
        target: str | Sequence[str] | None = LABEL,
        read: Read = read_image,
    ) -> None:
        check_ids(frame)
        if PATH not in frame.columns:
            raise KitError(f"expected column '{PATH}', found {list(frame.columns)}; {FIX}")
        self.transform, self.seed, self.min_side, self.read = transform, seed, min_side, read
        self.staged: Sequence[Transform] = ()  # instead of `transform`, one for each epoch
        self._ids = _encode(frame[IMAGE_ID])
        self._paths = _encode(frame[PATH])
        self.labels = None if target is None else _labels(frame, target)
        self.auxiliary: dict[str, Tensor] = {}  # (N, K) further targets, by their keys
        self.columns: dict[str, pd.Categorical] = {}  # by which scores are broken down
        self.groups: np.ndarray | None = None  # (N,) text: rows of one group belong together
        self.weights: Weights | None = None
        # Shared memory, so that workers which outlive an epoch see the next one begin.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return IMAGE `(3, H, W)` uint8, INDEX, IMAGE_ID; LABEL, WEIGHT, auxiliary if any."""
        turn = getattr(index, "turn", 0)  # drawn before in this epoch: another augmentation
        index = range(len(self))[index]
        image = self.raw(index)
        transform = self._stage()
        if transform is not None:
            image = self._augment(transform, image, index + turn * len(self))
        sample: dict[str, Any] = {IMAGE: to_tensor(image), INDEX: index}
        if self.labels is not None:
            sample[LABEL] = self.labels[index]
        for key, values in self.auxiliary.items():
            sample[key] = values[index]
        if self.weights is not None:
            sample[WEIGHT] = self.weights(index, self.epoch)
        sample[IMAGE_ID] = self.image_id(index)
        return sample

    def raw(self, index: int) -> np.ndarray:
        """Return the picture of a row without augmentation, `(H, W, 3)` uint8."""
        return self.read(self._paths[index].decode(), self.min_side)

    def image_id(self, index: int) -> str:
        """Return the id of a row."""
        return self._ids[index].decode()

    def append(self, frame: pd.DataFrame, labels: Tensor | None, weights: Weights) -> None:
        """Append further images.

        Args:
            frame: their image_id and path.
            labels: of all samples, those from before first; None without LABEL.
            weights: of all samples.
        """
        self._ids = np.concatenate([self._ids, _encode(frame[IMAGE_ID])])
        self._paths = np.concatenate([self._paths, _encode(frame[PATH])])
        self.labels, self.weights = labels, weights
        self.auxiliary = {k: unknown_rows(v, len(frame)) for k, v in self.auxiliary.items()}

    def deal_targets(self, order: np.ndarray) -> None:
        """Give each row the target of row `order[row]`, to see what is learnt of wrong ones."""
        if self.labels is not None:
            self.labels = self.labels[torch.from_numpy(order)]

    @property
    def strata(self) -> np.ndarray:
        """`(N,)` codes; targets may be dealt among rows of one code."""
        return np.zeros(len(self), np.int64)

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation is drawn."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw the augmentation of another epoch from now on, in workers that run already, too."""
        self._epoch.fill_(epoch)

    def _stage(self) -> Transform | None:
        """Return the epoch's transform; the last of those that are staged goes on."""
        if not self.staged:
            return self.transform
        return self.staged[min(self.epoch, len(self.staged) - 1)]

    def _augment(self, transform: Transform, image: np.ndarray, index: int) -> np.ndarray:
        from common.data.transforms import seed_transform  # a second for those who augment only

        seed_transform(transform, self.seed, self.epoch, index)
        return transform(image=image)["image"]


def to_tensor(image: np.ndarray) -> Tensor:
    """Return `(H, W, 3)` uint8 as a contiguous `(3, H, W)` tensor of its own."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise KitError(
            f"expected a transform that gives a uint8 array, got {kind}; take Normalize and "
            "ToTensorV2 out of it, the model normalises"
        )
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(image, list(planes))  # writes into the planes; a fifth of the time of a transposition
    return torch.from_numpy(planes)


def _encode(column: pd.Series) -> np.ndarray:
    return np.array([str(value).encode() for value in column])


def _labels(frame: pd.DataFrame, target: str | Sequence[str]) -> Tensor:
    columns = [target] if isinstance(target, str) else list(target)
    for column in columns:
        if column not in frame.columns:
            hint = did_you_mean(column, map(str, frame.columns))
            raise KitError(
                f"expected target column '{column}'; {hint}; without targets: target=None"
            )
    values = frame[target if isinstance(target, str) else columns].to_numpy()
    if values.dtype.kind not in "iubf" or (values.dtype.kind == "f" and np.isnan(values).any()):
        raise KitError(
            f"expected numbers without NaN in {columns}, got {values.dtype}; "
            "call check_labels or check_multilabel in competitions/<name>/data.py"
        )
    whole = isinstance(target, str) and values.dtype.kind != "f"
    return torch.tensor(values, dtype=torch.int64 if whole else torch.float32)
