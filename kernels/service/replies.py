"""What Kaggle's answers come down to."""

from dataclasses import dataclass
from typing import Any

from common.errors import KitError

SOURCES = ("dataset", "competition", "kernel", "model")


@dataclass(frozen=True)
class Saved:
    """A version of a kernel."""

    kernel: str  # "owner/slug"
    version: int
    url: str


@dataclass(frozen=True)
class Submission:
    """What Kaggle says of a submission; scores are None until there are any."""

    status: str  # pending, complete or error
    public: float | None = None
    private: float | None = None
    error: str = ""


def saved_of(answer: Any, kernel: str) -> Saved:
    """Return the version that was saved, under the name that Kaggle gave it.

    Raises:
        KitError: it was saved without one of its inputs.
    """
    wrong = {kind: getattr(answer, f"invalid_{kind}_sources", None) or [] for kind in SOURCES}
    named = "; ".join(f"{kind} {', '.join(names)}" for kind, names in wrong.items() if names)
    if named:
        raise KitError(
            f"expected every input of {kernel} to be attached, got some that Kaggle does not know "
            f"({named}); accept the competition's rules, wait until data sets are ready, push "
            f"again (version {answer.version_number} runs without them and will fail)"
        )
    given = "/".join(str(answer.ref or "").strip("/").split("/")[-2:])
    return Saved(given if "/" in given else kernel, answer.version_number, answer.url or "")


def submission_of(listed: Any) -> Submission:
    """Return a submission as the list of them has it."""
    scores = (_number(listed.public_score), _number(listed.private_score))
    return Submission(listed.status.name.lower(), *scores, listed.error_description or "")


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
