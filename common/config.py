"""Typed values that describe a run: what a competition fixes and what an experiment changes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from common.errors import KitError, did_you_mean
from common.keys import LABEL

V = TypeVar("V", bound="Values")
OVERRIDES = "overrides"  # key of a file that says more than them


class Values(BaseModel):
    """Frozen plain values; an unknown name or a wrong type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a checked copy; names may be dotted: `update={"train.epochs": 8}`."""
        values = self.model_dump()
        for key, value in (update or {}).items():
            _set(values, type(self), key, value)
        return _validate(type(self), values)


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


class ModelConfig(Values):
    """Which network, and where its first weights come from."""

    name: str = "resnet18"  # timm name, of the encoder if there is a decoder
    decoder: str = ""  # segmentation: smp's unet, fpn, ...; detection: fcos or retinanet
    decoder_arguments: dict[str, Any] = {}  # passed to the decoder or the detection head
    weights: str = "pretrained"  # pretrained | none | path of a weights file
    strides: tuple[Literal[4, 8, 16, 32], ...] = ()  # of segmentation's further, coarser outputs
    drop_rate: float = Field(0.0, ge=0, lt=1)  # dropout before the classifier
    dropouts: int = Field(1, ge=1)  # masks of it a step, whose losses are averaged
    pool: Literal["", "avg", "max", "avgmax", "gem"] = ""  # of features; empty: the network's own
    head: Literal["linear", "arcface"] = "linear"  # arcface: many classes, few pictures of each
    margin: float = Field(0.3, ge=0, lt=1.57)  # radians, of arcface in training
    scale: float = Field(30.0, gt=0)  # of arcface's cosines; higher for more classes
    subcentres: int = Field(1, ge=1)  # of each class of arcface; 3 for noisy labels
    auxiliary: dict[str, Annotated[int, Field(ge=1)]] = {}  # classification: further columns of
    # the frame to learn, by number of classes (1: a number); empty cells teach nothing
    arguments: dict[str, Any] = {}  # passed to timm.create_model as they are
    checkpoint_gradients: bool = False  # compute activations twice to keep fewer: less memory,
    # more time; running statistics of batch norms move twice a step
    channels_last: bool = False  # memory format; pays for convolutions on GPU and CPU
    compile: bool = False  # torch.compile in training: up to minutes before the first steps of a
    # session, then faster ones; not bit-identical to a training without


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


class LogConfig(Values):
    """What is watched and where it goes."""

    loggers: tuple[Literal["wandb", "tensorboard", "local"], ...] = (
        "wandb",
        "tensorboard",
        "local",
    )
    looks: Literal["all", "none"] | tuple[str, ...] = "all"  # names of callbacks/looks
    every: int = Field(10, ge=1)  # steps whose scalars are averaged into one point
    gradients_every: int = Field(50, ge=0)  # steps between looks at gradients; 0 = off
    k: int = Field(16, ge=1)  # samples shown in tables of samples
    rank_by: str = "loss"  # what makes a sample best or worst: loss, one of its terms, or for
    # segmentation iou, for detection score (training samples, unpredicted: the loss)
    cam_class: str = ""  # class whose activation maps are shown; empty: predicted and true one
    breakdown: tuple[str, ...] = ()  # columns of the frame; a score for each value, a*b crosses two
    strict: bool = False  # True: a failing logger stops the run; False: it is dropped, loudly

    @field_validator("loggers", "looks", "breakdown", mode="before")
    @classmethod
    def _split_words(cls, value: Any) -> Any:
        """Let the command line say log.loggers=local,wandb."""
        words = isinstance(value, str) and value not in ("all", "none")
        return [word for word in value.split(",") if word] if words else value


class MaskConfig(Values):
    """How probabilities of masks become foreground, and foreground becomes objects."""

    threshold: float | None = Field(None, gt=0, lt=1)  # of one class, from which on it is there;
    # None = as kit oof found best, else as each validation did
    min_area: int | None = Field(None, ge=0)  # pixels of the picture; smaller parts are left out;
    # None = as kit oof --parts found best, else 0
    instances: Literal["none", "components", "watershed"] = "none"  # one class: what is an object:
    # a part that hangs together, or what of it lies between its waists
    min_distance: int | None = Field(None, ge=1)  # pixels between the middles of two objects of a
    # watershed; None = as kit oof --parts found best, else 5


class PredictConfig(Values):
    """How test images are predicted, and what is given up where time runs out."""

    tta: Literal["none", "flip", "mirrors", "d4", "five_crop"] = "none"  # views of each image: 1,
    # 2, 4, 8 or, of classes, 5: centre and corners at the trained size of an image read larger
    weights: tuple[Annotated[float, Field(ge=0)], ...] = ()  # of the checkpoints, in their order;
    # empty: all alike. Of boxes: weights of their fusion
    blend: str = ""  # classes: file of kit blend that says how checkpoints are combined (rank,
    # geometric and power means, stacks); without a folder it lies beside the checkpoints
    fuse_iou: float = Field(0.55, gt=0, lt=1)  # above which boxes of one class are one
    fuse_least: float = Field(0.0, ge=0, lt=1)  # score below which a box takes no part in fusion
    grade_cuts: tuple[float, ...] = ()  # where the expected grade is cut (target=ordinal); empty:
    # where kit oof found best for each checkpoint
    confidence: float | None = Field(None, ge=0, le=1)  # from which on a box is kept; None: what
    # the trainings found
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field((1.0,), min_length=1)
    amp: Literal["trained", "none", "bf16", "fp16"] = "trained"  # autocast; trained: on a GPU what
    # train.amp says, on a CPU none, for it gains nothing there
    masks: MaskConfig = MaskConfig()  # of segmentation
    time_limit: float = Field(0, ge=0)  # hours from the start of the process; 0 = none
    fallback: tuple[Literal["tta", "models"], ...] = ("tta", "models")  # given up first to last,
    # for the images that remain, when the estimate exceeds the limit

    @field_validator("scales", "weights", "grade_cuts", "fallback", mode="before")
    @classmethod
    def _split_words(cls, value: Any) -> Any:
        """Let the command line say predict.scales=1,1.25 or predict.scales=1.25."""
        words = value.split(",") if isinstance(value, str) else value
        return [words] if isinstance(words, int | float) else words


class KernelConfig(Values):
    """What the competition grants a submitted notebook; rehearsals measure against it."""

    hours: float = Field(9, gt=0)  # by which it must have ended
    hidden_images: int = Field(0, ge=0)  # of the test set that scores; 0 = as many as are public
    gpu: bool = True  # ask for one
    gpus: int = Field(1, ge=1)  # that a kernel trains on, if there are as many; it predicts on all
    internet: bool = False  # of the kernel that trains; the one that predicts never has it
    datasets: tuple[str, ...] = ()  # attached as well: owner/slug
    kernels: tuple[str, ...] = ()  # whose output is attached, to go on with its run: owner/slug
    memory_gb: float = Field(29, gt=0)  # of RAM
    working_gb: float = Field(19.5, gt=0)  # that may lie in the working folder at the end


class Config(Values):
    """A whole run. A competition's `config.py` makes one and derives its experiments from it."""

    competition: str  # folder under competitions/
    task: Literal["classification", "segmentation", "detection"] = "classification"
    slug: str = ""  # Kaggle's name of it
    classes: tuple[str, ...]  # in the order of the model's outputs; segmentation: one, or
    # several of which the first is the background; regression: the columns to predict
    multilabel: bool = False  # True: any number of classes per image; False: exactly one
    target: Literal["classes", "ordinal", "regression"] = "classes"  # classification: of an image;
    # ordinal: grades in ascending order, regression: a real number for each of `classes`
    metric: str  # the competition's metric: picks the best checkpoint
    watch: tuple[str, ...] = ()  # further metrics; each keeps its own best checkpoint
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    log: LogConfig = LogConfig()
    predict: PredictConfig = PredictConfig()
    kernel: KernelConfig = KernelConfig()

    @classmethod
    def read(cls, path: Path) -> "Config":
        """Return the config that a run folder or a checkpoint keeps as json."""
        return _validate(cls, json.loads(path.read_text()))

    @property
    def kind(self) -> str:
        """What is predicted: the task, of which regression counts as one of its own."""
        return self.target if self.target == "regression" else self.task

    @property
    def target_columns(self) -> str | list[str]:
        """The columns of a classification's frame that hold the target: one, or one a class."""
        alone = not self.multilabel and self.target != "regression"
        return LABEL if alone else list(self.classes)

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.target != "classes" and (self.multilabel or self.task != "classification"):
            got = "multilabel=true" if self.multilabel else f"task={self.task}"
            raise KitError(
                f"expected target=classes with {got}, got target={self.target}; an image has "
                "classes, a grade or numbers: take one of the two out"
            )
        if self.target == "ordinal" and len(self.classes) < 2:
            raise KitError(
                f"expected two grades or more in classes with target=ordinal, got "
                f"{list(self.classes)}; name them in ascending order"
            )
        return self


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Turn `key.sub=value` words of the command line into an update for `model_copy`.

    Values are read as JSON where they are (numbers, true, null, lists), else as text. Of a word
    given twice the last one counts; `@FILE` stands for the words of a file.
    """
    return dict(_parse(word) for word in expand_files(arguments))


def expand_files(arguments: Sequence[str]) -> list[str]:
    """Return the words with those of a file in place of each `@FILE`, as `kit tune` writes it.

    The file is a JSON object of dotted keys and values, alone or under OVERRIDES.
    """
    found: list[str] = []
    for word in arguments:
        found += _words_of(Path(word[1:])) if word.startswith("@") else [word]
    return found


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `dotted.key, value` for every leaf of nested values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _words_of(file: Path) -> list[str]:
    wanted = f"expected a JSON object of config keys and values in '{file}'"
    try:
        content = json.loads(file.read_text())
        values = content.get(OVERRIDES, content)
        return [f"{key}={json.dumps(value)}" for key, value in flatten(values)]
    except OSError as error:
        raise KitError(f"{wanted}, got: {error.strerror}; kit tune writes one") from None
    except (ValueError, AttributeError) as error:
        raise KitError(f"{wanted}, got: {error}; mend or remake it") from None


def _parse(word: str) -> tuple[str, Any]:
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise KitError(f"expected key=value, such as train.epochs=8, got '{word}'")
    try:
        return key, json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except json.JSONDecodeError:
        return key, text


def _set(
    values: dict[str, Any], model: type[BaseModel], key: str, value: Any, above: str = ""
) -> None:
    head, _, rest = key.partition(".")
    if head not in model.model_fields:
        known = [above + name for name, _ in flatten(values)] + [above + name for name in values]
        raise KitError(f"unknown config key '{above}{key}'; {did_you_mean(above + key, known)}")
    kind = model.model_fields[head].annotation
    if not rest:
        values[head] = value.model_dump() if isinstance(value, BaseModel) else value
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        _set(values[head], kind, rest, value, f"{above}{head}.")
    elif isinstance(values[head], dict):
        values[head] = {**values[head], rest: value}  # free-form, such as model.arguments
    else:
        raise KitError(f"config key '{above}{head}' is a single value and has no part '{rest}'")


def _validate(model: type[V], values: Mapping[str, Any]) -> V:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise KitError(explain(error)) from None


def explain(error: ValidationError) -> str:
    """Return in one line what is wrong with values of a config."""
    return "; ".join(_explain(problem) for problem in error.errors())


def _explain(problem: Any) -> str:
    if problem["type"] == "value_error":  # ours, which says it all
        return str(problem["ctx"]["error"])
    key = ".".join(str(part) for part in problem["loc"] if not str(part).startswith("literal["))
    if problem["type"] == "missing":
        return f"config key '{key}' is missing"
    expected = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"config key '{key}': expected {expected}, got {problem['input']!r}"
