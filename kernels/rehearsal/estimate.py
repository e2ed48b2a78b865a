"""From two small test sets to the one that scores: time, memory and disk by a line through both."""

from dataclasses import dataclass

from .trial import Trial

NOISE = 0.03  # share by which the memory of two equal runs may differ
NOISE_GB = 0.03


@dataclass(frozen=True)
class Estimate:
    """What the test set that scores will take.

    Attributes:
        start: seconds whatever the number of images.
        per_image: seconds of each.
        growth: megabytes of memory that each image adds; 0 where less than can be told.
    """

    images: int
    start: float
    per_image: float
    seconds: float
    memory_gb: float | None
    growth: float
    working_gb: float


def estimate(small: Trial, large: Trial, images: int) -> Estimate:
    """Draw a line through two runs.

    Time per image is the larger of what was measured from outside and by the kernel's own clock
    for predicting, which leaves the start out and so varies less; neither is trusted alone. Where
    both say nothing, all of the larger run's time counts as the images'.

    Args:
        images: of the test set that scores.
    """
    more, beyond = large.images - small.images, max(images - large.images, 0)
    one, two = small.outcome, large.outcome
    per_image = _per_image(small, large, more)
    start = max(two.seconds - per_image * large.images, 0.0)
    memory, growth = None, 0.0
    if one.memory_gb is not None and two.memory_gb is not None:
        growth = two.memory_gb - one.memory_gb
        growth = growth / more if growth > NOISE_GB + NOISE * one.memory_gb else 0.0
        memory = max(one.memory_gb, two.memory_gb) + growth * beyond
    disk = max(two.working_gb - one.working_gb, 0.0) / more
    return Estimate(
        images=images,
        start=start,
        per_image=per_image,
        seconds=start + per_image * images,
        memory_gb=memory,
        growth=growth * 1000,
        working_gb=max(one.working_gb, two.working_gb) + disk * beyond,
    )


def _per_image(small: Trial, large: Trial, more: int) -> float:
    slopes = [(large.outcome.seconds - small.outcome.seconds) / more]
    if small.predict_seconds is not None and large.predict_seconds is not None:
        slopes.append((large.predict_seconds - small.predict_seconds) / more)
    steepest = max(slopes)
    return steepest if steepest > 0 else large.outcome.seconds / large.images
