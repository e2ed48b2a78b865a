"""The section `data`: what is read and how it gets to the device."""

from typing import Literal

from pydantic import Field

from common.config.values import Values


class DataConfig(Values):
    """What is read and how it gets to the device."""

    img_size: int | None = Field(224, gt=0)  # pixels, height and width; None keeps every pixel
    # (segmentation: side of the windows that are cut out, nothing is resized)
    start_size: int | None = Field(None, gt=0)  # pixels of the first epoch's images, growing to
    # img_size (classification); early epochs cost less; None = all alike
    augment: Literal["none", "flip", "dihedral", "light", "medium"] = "light"  # see data/transforms
    oversample: float = Field(1.0, ge=0)  # decode JPEG no smaller than this x img_size; 0 = full
    cache: bool = False  # keep resized copies beside the runs: first epoch slow, the others fast
    cache_dir: str = ""  # elsewhere: /dev/shm/NAME keeps them in memory, once for all readers
    cache_gb: float = Field(0.0, ge=0)  # of copies at most, the others are read anew; 0 = no limit
    num_workers: int = Field(2, ge=0)  # processes that read images; 0 reads in the main process
    sampler: Literal["none", "balanced", "sqrt"] = "none"  # classification: draw all classes alike,
    # or half the way (in training; an epoch stays as long)
    n_folds: int = Field(5, ge=2)  # parts of the training data, each validated on once
    fold_kind: Literal[
        "random", "stratified", "group", "stratified_group", "multilabel_stratified"
    ] = "stratified"
    fold_stratify: str = "label"  # column whose shares every fold keeps
    fold_group: str = "group"  # column whose rows stay together, for the group kinds
    ignore: int | None = Field(None, ge=0, le=255)  # segmentation: value of mask files whose pixels
    # count nowhere; None = 255 where there are several classes, and none where there is one
    pseudo: str = ""  # file of kit pseudo; fold k learns from the labels of fold k's model alone
    pseudo_weight: float = Field(1.0, ge=0)  # of a pseudo-label's loss; a true label's is 1
    pseudo_start: int = Field(0, ge=0)  # epochs (frozen ones, too) before pseudo-labels count
    pseudo_ramp: int = Field(0, ge=0)  # epochs in which their weight rises to its full, stepwise
