"""Pictures with boxes: what is cut, turned, resized or mixed takes its boxes along."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.data.box_frame import flatten_boxes, no_boxes, picture_sizes
from common.data.dataset import ImageDataset, Read, Transform, Weights, to_tensor
from common.data.image import image_size, read_image
from common.data.mosaic import BoxSample, mixup_boxes, mosaic
from common.errors import KitError
from common.keys import BOXES, IMAGE, IMAGE_ID, INDEX, LABELS, SIZE, WEIGHT

MIXUP_SHARE = 0.5  # of the samples, if mixup is on; the others show what prediction will see
BBOXES = "bboxes"  # albumentations' name
MASK = 2**64 - 1


class BoxDataset(ImageDataset):
    """Images with ids and, for training, boxes; `repairs` counts what had to be mended.

    Args:
        frame: columns image_id, path, boxes, labels (see `flatten_boxes`) and, if known, width and
            height; without them the headers are read.
        num_classes: labels are 0 to `num_classes` - 1.
        transform: called as `transform(image=, bboxes=, labels=)`; `train_transforms(boxes=True)`.
        seed: of the augmentation, a pure function of (seed, epoch, index) like mosaic and mixup.
        min_side, read: see `ImageDataset`; boxes follow a picture that is decoded smaller.
        labelled: False to predict: no column of boxes is needed, samples have none.
        mosaic: share of samples that are made of four, each augmented first, so that objects keep
            the size they have in the others.
        mixup: Beta parameter by which half of the samples are blended with another; 0 = off.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        num_classes: int,
        transform: Transform | None = None,
        seed: int = 0,
        min_side: int = 0,
        read: Read = read_image,
        labelled: bool = True,
        mosaic: float = 0.0,
        mixup: float = 0.0,
    ) -> None:
        super().__init__(frame, transform, seed, min_side, None, read)
        self.num_classes = num_classes
        if BBOXES not in getattr(transform, "processors", {BBOXES: None}):
            raise KitError("expected a transform with bbox_params; make it by boxes=True")
        self.labelled, self.mosaic, self.mixup = labelled, mosaic, mixup
        self._sizes = picture_sizes(frame) if labelled else None
        self._flat = no_boxes(len(self))
        if self._sizes is not None:
            self._flat = flatten_boxes(frame, self._sizes, num_classes)
        self.repairs = self._flat.repairs

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return IMAGE `(3, H, W)` uint8, INDEX, BOXES `(K, 4)`, LABELS, WEIGHT, SIZE, IMAGE_ID.

        BOXES are float32 xyxy pixels of IMAGE, SIZE is (height, width) of the file's picture.
        """
        index = range(len(self))[index]
        (image, boxes, labels), rows = self._mixed(index)
        sample: dict[str, Any] = {IMAGE: to_tensor(image), INDEX: index}
        if self.labelled:
            sample[BOXES] = torch.tensor(boxes, dtype=torch.float32)
            sample[LABELS] = torch.tensor(labels, dtype=torch.int64)
        if self.weights is not None:
            sample[WEIGHT] = torch.stack([self.weights(row, self.epoch) for row in rows]).min()
        sample[SIZE] = torch.tensor(self.size(index))
        sample[IMAGE_ID] = self.image_id(index)
        return sample

    def size(self, index: int) -> tuple[int, int]:
        """Return (height, width) of the file's picture."""
        if self._sizes is None:
            return image_size(self._paths[index].decode())
        height, width = self._sizes[index].tolist()
        return height, width

    def raw_boxes(
        self, index: int, shape: tuple[int, ...] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `(K, 4)` float32 boxes and `(K,)` labels of a row without augmentation.

        Args:
            shape: (height, width, ...) of the picture they are for, such as `raw(index).shape`;
                None: in pixels of the file.
        """
        boxes, labels = self._flat.of(index)
        if shape is None or not len(boxes):
            return boxes, labels
        height, width = self.size(index)
        scale = np.array((shape[1] / width, shape[0] / height) * 2, np.float32)
        return boxes * scale, labels

    def append(self, frame: pd.DataFrame, labels: Tensor | None, weights: Weights) -> None:
        """Append further pictures with their boxes.

        Args:
            frame: columns as above, with width and height.
            labels: None; they are a column of the frame.
            weights: of all samples.
        """
        assert self._sizes is not None
        super().append(frame, labels, weights)
        sizes = picture_sizes(frame)
        more = flatten_boxes(frame, sizes, self.num_classes)
        self._sizes, self._flat = np.concatenate([self._sizes, sizes]), self._flat.joined(more)

    def deal_targets(self, order: np.ndarray) -> None:
        """Give each row the boxes of row `order[row]`, at the same place of its own picture."""
        if self._sizes is None:
            return
        dealt = [self._flat.of(row) for row in order.tolist()]
        scales = (self._sizes / self._sizes[order])[:, [1, 0, 1, 0]]
        boxes = [own * scale for (own, _), scale in zip(dealt, scales, strict=True)]
        starts = np.cumsum([0, *map(len, boxes)])
        labels = np.concatenate([own for _, own in dealt])
        flat = np.concatenate(boxes).astype(np.float32)
        self._flat = replace(self._flat, boxes=flat, labels=labels, starts=starts)

    def _mixed(self, index: int) -> tuple[BoxSample, list[int]]:
        """Return a sample and the rows that it is made of."""
        sample, rows = self._whole(index), [index]
        if not (self.mosaic or self.mixup):
            return sample, rows
        random = self._random(index)
        count = len(self) if self.weights is None else self.weights.counting(self.epoch)
        if random.random() < self.mosaic:
            rows += random.integers(count, size=3).tolist()
            others = [self._whole(other) for other in rows[1:]]
            sample = mosaic([sample, *others], _side(sample[0]), random)
        if self.mixup and random.random() < MIXUP_SHARE:
            rows.append(int(random.integers(count)))
            other = self._whole(rows[-1])
            sample = mixup_boxes(sample, other, random.beta(self.mixup, self.mixup))
        return sample, rows

    def _whole(self, index: int) -> BoxSample:
        """Return one row's picture, augmented, with its boxes."""
        image = self.raw(index)
        boxes, labels = self.raw_boxes(index, image.shape)
        self._check_shape(index, image)
        if self.transform is None:
            return image, boxes, labels
        from common.data.transforms import seed_transform  # a second for those who augment only

        seed_transform(self.transform, self.seed, self.epoch, index)
        result = self.transform(image=image, **{BBOXES: boxes, LABELS: labels})
        boxes = np.asarray(result[BBOXES], np.float32).reshape(-1, 4)
        labels = np.asarray(result[LABELS], np.int64).reshape(-1)
        kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return result[IMAGE], boxes[kept], labels[kept]

    def _check_shape(self, index: int, image: np.ndarray) -> None:
        """Refuse a picture that is not the file's, scaled down or not: boxes would be off it."""
        if self._sizes is None:
            return
        (height, width), (rows, columns) = self.size(index), image.shape[:2]
        bent = abs(columns / width - rows / height) > 1 / width + 1 / height
        scaled = (rows, columns) != (height, width)
        if bent or rows > height or (scaled and not self.min_side):
            raise KitError(
                f"expected '{self.image_id(index)}' to be {width} x {height} (width x height) as "
                f"the frame says, got {columns} x {rows}; mend or drop these columns of the frame"
            )

    def _random(self, index: int) -> np.random.Generator:
        """Return a generator of its own for (seed, epoch, index), apart from the transform's."""
        counter = (0, 0, self.epoch & MASK, index)
        return np.random.Generator(np.random.Philox(key=(self.seed & MASK, 1), counter=counter))


def _side(image: np.ndarray) -> int:
    height, width = image.shape[:2]
    if height != width:
        raise KitError(f"expected squares for a mosaic, got {width} x {height}; set data.img_size")
    return width
