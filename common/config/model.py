"""The section `model`: which network, and where its first weights come from."""

from typing import Annotated, Any, Literal

from pydantic import Field

from common.config.values import Values


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
