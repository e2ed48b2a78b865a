"""The section `kernel`: what the competition grants a submitted notebook."""

from pydantic import Field

from common.config.values import Values


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
