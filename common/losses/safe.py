"""Mean, logarithm, root and quotient whose value and gradient stay finite where the usual do not.

Half precision is computed in float32 and stays float32: its sums overflow at 65504 and its steps
are coarse. Where there are logits, start from them: `F.logsigmoid`, `F.log_softmax` and the losses
`with_logits` are exact at all sizes. Clamping a probability to `eps..1 - eps` is no cure: its
gradient is zero outside, and in fp16 `1 - 1e-6` is 1.
"""

import torch
from torch import Tensor

FLOORS = {  # smallest number that is told from 0, whose inverse is still a bearable gradient
    torch.float16: 2.0**-14,  # the smallest normal one
    torch.bfloat16: 2.0**-23,
    torch.float32: 2.0**-23,
    torch.float64: 2.0**-46,
}


def floor_of(dtype: torch.dtype) -> float:
    """Return the eps of a dtype: below it, values count as noise around 0."""
    return FLOORS.get(dtype, FLOORS[torch.float32])


def widened(values: Tensor) -> Tensor:
    """Return integers and half precision as float32, float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def safe_mean(
    values: Tensor, valid: Tensor | None = None, dim: int | tuple[int, ...] | None = None
) -> Tensor:
    """Return the mean over what is valid; of nothing 0, with gradient 0.

    Args:
        values: any shape; what is not valid may be NaN.
        valid: of a shape that `values` has or can be spread to, 0 or 1; None: all.
        dim: that are averaged over; None: all.
    """
    values = widened(values)
    wanted = tuple(range(values.ndim)) if dim is None else dim
    if valid is None:
        total = values.sum(wanted)
        return total / max(values.numel() // max(total.numel(), 1), 1)
    mask = valid.to(torch.bool).expand_as(values)
    total = values.masked_fill(~mask, 0).sum(wanted)
    return total / mask.sum(wanted).to(values.dtype).clamp_min(1)


def safe_log(x: Tensor, eps: float | None = None) -> Tensor:
    """Return log(x), below `eps` its tangent there: falling on, with slope 1 / eps.

    So a probability of 0 costs much and is still pulled up, and a negative one more so.

    Args:
        x: any shape.
        eps: None: `floor_of` the dtype that x comes in.
    """
    eps = eps or floor_of(x.dtype)
    x = widened(x)
    # The inner fill keeps the branch that is not taken finite: where alone hides no NaN gradient.
    inside = x.masked_fill(x < eps, eps).log()
    return torch.where(x < eps, inside + (x - eps) / eps, inside)


def safe_sqrt(x: Tensor, eps: float | None = None) -> Tensor:
    """Return sqrt(x), below `eps` the line from 0 to sqrt(eps), below 0 nothing: 0.

    The slope is at most 1 / sqrt(eps); the usual one is infinite at 0.
    """
    eps = eps or floor_of(x.dtype)
    x = widened(x)
    x = x.masked_fill(x < 0, 0)  # not a clamp, which has no slope at 0 itself
    return torch.where(x < eps, x / eps**0.5, x.masked_fill(x < eps, eps).sqrt())


def safe_divide(a: Tensor, b: Tensor | float, eps: float | None = None) -> Tensor:
    """Return a / b with |b| no less than `eps`; 0 where b is 0, with gradient 0.

    Args:
        a: any shape.
        b: of a shape that fits; its sign is kept.
        eps: None: `floor_of` the dtype that a comes in.
    """
    eps = eps or floor_of(a.dtype)
    a = widened(a)
    b = widened(torch.as_tensor(b, device=a.device))
    none = b == 0
    held = torch.where(b.abs() < eps, torch.copysign(torch.full_like(b, eps), b), b)
    return a.masked_fill(none, 0) / held
