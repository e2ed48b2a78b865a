"""What was found about a step that is not finite, in words."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.callbacks.anomaly.trace import Frame

SHOWN = 8  # ids in a sentence
NOWHERE = "an unknown place"
Remedies = tuple[tuple[tuple[str, ...], str], ...]
REMEDIES: Remedies = (
    (
        ("log", "log2", "log10", "log1p"),
        "start from logits, or take safe_log of common/losses/safe",
    ),
    (
        ("sqrt", "rsqrt", "pow", "norm"),
        "take safe_sqrt of common/losses/safe, or add an eps inside",
    ),
    (("div", "reciprocal"), "take safe_divide of common/losses/safe"),
    (("mean", "std", "var"), "take safe_mean of common/losses/safe, which is 0 of nothing"),
    (("exp", "expm1", "sigmoid", "softmax"), "work with logits and log_softmax or logsigmoid"),
    (("acos", "asin", "atanh"), "keep the operand inside of -1..1, or use atan2"),
    (("sum", "cumsum", "half", "to"), "add up in float32: sum(dtype=torch.float32)"),
    (("cross_entropy", "nll_loss"), "look at targets, weights and what is ignored"),
    (
        ("conv2d", "linear", "matmul", "batch_norm"),
        "lower train.lr, clip by train.clip_norm, warm up",
    ),
)


@dataclass
class Finding:
    """Where numbers stopped being finite. `rows` are places in the batch."""

    kind: str  # NaN or infinite
    stage: str  # forward: a value; backward: a gradient
    operation: str
    place: str  # module, or term of the loss
    frame: Frame
    terms: list[str]
    source: str = ""  # what came in broken: a key of the batch, a parameter, a constant
    rows: list[int] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)  # whose gradients are not finite
    losses: dict[str, list[float]] = field(default_factory=dict)  # per term, of each sample

    @property
    def headline(self) -> str:
        """One line for a summary."""
        what = "loss" if self.stage == "forward" else "gradient"
        return f"the {what} is {self.kind}, first at {self.operation} in {self.place}"

    @property
    def where(self) -> str:
        """file:line, from the working or the packages' folder on."""
        return f"{shorten(self.frame.file)}:{self.frame.line}" if self.frame.file else "unknown"

    @property
    def remedy(self) -> str:
        """What usually helps."""
        if self.source:
            return f"mend {self.source}"
        known = (text for names, text in REMEDIES if self.operation in names)
        return next(known, "look at its operands in batch.pt")

    def lines(self, ids: list[str], count: int) -> list[str]:
        """Return the report's lines; `ids` are those of `rows`, `count` the batch's size."""
        made = "from finite numbers" if not self.source else f"from {self.source}"
        slope = " in the backward pass" if self.stage == "backward" else ""
        return [
            f"{self.operation} made {self.kind} {made}{slope}, in {self.place}",
            f"at {self.where}: {self.frame.code}",
            f"term of the loss: {', '.join(self.terms) or 'none alone'}",
            f"{_samples(ids, count)}",
            *self.facts,
            *([f"gradients not finite: {_few(self.parameters)}"] if self.parameters else []),
            f"remedy: {self.remedy}",
        ]

    def values(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return {
            "kind": self.kind,
            "stage": self.stage,
            "operation": self.operation,
            "place": self.place,
            "file": self.frame.file,
            "line": self.frame.line,
            "code": self.frame.code,
            "terms": self.terms,
            "source": self.source,
            "facts": self.facts,
            "parameters": self.parameters,
            "remedy": self.remedy,
        }


def unknown(parameters: list[str], why: str) -> Finding:
    """Return what can be said where the replay shows nothing."""
    kind, nowhere = "not finite", Frame("", 0, "")
    found = Finding(kind, "forward", "an unknown operation", NOWHERE, nowhere, [])
    found.parameters, found.facts = parameters, [why]
    return found


def shorten(file: str) -> str:
    """Return a path from the working folder on, or from the folder of packages."""
    path = Path(file)
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return file.rpartition("site-packages/")[2]


def _samples(ids: list[str], count: int) -> str:
    if len(ids) == 1:
        return f"sample: {ids[0]} (1 of {count})"
    if len(ids) == count:
        return f"samples: all {count}, so it is none of them"
    return f"samples: {_few(ids)} ({len(ids)} of {count})" if ids else "samples: none alone"


def _few(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more
