"""The section `train`: how the weights are found."""

from typing import Annotated, Literal

from pydantic import Field

from common.config.values import Values


class TrainConfig(Values):
    """How the weights are found."""

    epochs: int = Field(10, ge=1)  # passes over the training folds
    batch_size: int = Field(32, ge=1)  # samples per batch, over all GPUs together
    sync_bn: bool = False  # several GPUs: batch norms see the whole batch; for small ones per GPU
    lr: float = Field(1e-3, gt=0)  # peak learning rate of the head, per step
    optimiser: str = "adamw"  # timm's name; lookahead_NAME goes back half the way every 6 steps
    body_lr_factor: float = Field(1.0, gt=0)  # learning rate of the body / that of the head
    layer_decay: float = Field(1.0, gt=0, le=1)  # classification: rate of a layer / of the next one
    # to the head; 0.65 to 0.9 for transformers, 1 = off
    freeze_epochs: int = Field(0, ge=0)  # epochs that train the head alone, before `epochs`
    schedule: Literal["one_cycle", "cosine", "flat_cosine", "constant"] = "one_cycle"
    warmup: float = Field(0.25, ge=0, lt=1)  # share of the steps in which lr rises to its peak
    weight_decay: float = Field(0.01, ge=0)  # decoupled in adamw; never on biases and norms
    accumulate: int = Field(1, ge=1)  # batches whose gradients make one step
    clip_norm: float = Field(0.0, ge=0)  # largest gradient norm; 0 = off
    amp: Literal["none", "bf16", "fp16"] = "none"  # autocast type; T4 and P100 want fp16
    ema_decay: float = Field(0.0, ge=0, lt=1)  # running mean of weights that validates; 0 = off
    swa_start: float = Field(0.0, ge=0, lt=1)  # share of training after which the mean of the
    # epochs' ends validates (SWA); 0 = off
    swa_lr: float = Field(0.0, ge=0, le=1)  # constant rate from there on / peak rate; 0: the
    # schedule goes on falling
    mixup: float = Field(0.0, ge=0)  # Beta parameter; 0 = off
    cutmix: float = Field(0.0, ge=0)  # Beta parameter; 0 = off
    mosaic: float = Field(0.0, ge=0, le=1)  # detection: share of pictures made of four
    loss: dict[str, float] = {}  # terms and weights; empty: what the task usually takes
    # auxiliary_<column>: that of model.auxiliary, 0.3 unless named
    focal_gamma: float = Field(2.0, ge=0)  # of the term focal; 0 gives cross entropy
    asymmetric_gamma: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (4, 1)
    # of the term asymmetric (multilabel): of absent and of present classes
    class_weights: Literal["none", "balanced"] = "none"  # classification: weigh rare classes more
    stride_weight: float = Field(0.4, ge=0)  # of a coarser output's terms, of those of the finest
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # share of the target spread over classes
    patience: int = Field(0, ge=0)  # epochs without a better metric after which to stop; 0 = off
    keep_best: int = Field(1, ge=1)  # epochs whose weights are kept, the best by the metric; more
    # than 1: for kit soup
    seed: int = Field(42, ge=0)  # the one seed: folds, weights, order, augmentation
    deterministic: bool = False  # bit-identical runs on one device, somewhat slower
    anomaly: Literal["stop", "skip", "raise", "off"] = "stop"  # a loss or gradient not finite:
    # save and stop, leave the step out, raise an error, or do not look
    detect_anomaly: bool = False  # torch's detection in each step: 1.2 to 3 times as slow
    save_minutes: float = Field(10, ge=0)  # between saves within an epoch; 0 = at its end only
    time_limit: float = Field(0, ge=0)  # hours from the start of the process by which training
    # has saved and stopped, less than a session has; 0 = none
    halve_batch: bool = False  # device out of memory: half the batch, twice the accumulation, go on
    # (one GPU)
