"""What a sweep tries: `key=a,b,c` choices, `key=lo..hi` a range, `key=value` the same for all."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.config import Config, parse_overrides, refuse_foreign
from common.errors import KitError

WIDE = 10  # times the lower end: a range of decimals so wide is drawn by its logarithm


@dataclass(frozen=True)
class Choices:
    """Any one of some values."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that are tried on a config before a trial is begun."""
        return self.values


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether there are whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def log(self) -> bool:
        """Whether the logarithm is drawn evenly."""
        return not self.whole and self.low > 0 and self.high / self.low >= WIDE

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that are tried on a config before a trial is begun."""
        return (self.low, self.high)


def parse_space(
    words: Sequence[str], config: Config
) -> tuple[dict[str, Choices | Range], list[str]]:
    """Return what is swept over, by config key, and the overrides that all trials share.

    Raises:
        KitError: nothing is swept over, a range is none, or a key or value is not the config's.
    """
    space: dict[str, Choices | Range] = {}
    fixed = []
    for word in words:
        found = _parse(word)
        if found is None:
            fixed.append(word)
        else:
            space[word.partition("=")[0]] = found
    if not space:
        raise KitError(
            "expected something to sweep over, got one value of each key; give choices, such as "
            "model.name=resnet18,resnet34, or a range, such as train.lr=1e-4..1e-2"
        )
    base = config.model_copy(update=parse_overrides(fixed))
    for key, values in space.items():
        for value in values.ends:
            refuse_foreign(base.model_copy(update={key: value}))
    return space, fixed


def words_of(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield the overrides that give a trial's values to `kit train`."""
    for key, value in params.items():
        yield f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _parse(word: str) -> Choices | Range | None:
    key, _, text = word.partition("=")
    if ".." in text:
        ends = [_value(key, end) for end in text.split("..")]
        numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
        if len(ends) != 2 or not numbers or not ends[0] < ends[1]:
            raise KitError(f"expected a range such as {key}=1..5, lower end first, got '{word}'")
        return Range(*ends)
    if "," not in text or text.startswith(("[", "{")):
        return None
    return Choices(tuple(_value(key, part) for part in text.split(",")))


def _value(key: str, text: str) -> Any:
    return parse_overrides([f"{key}={text}"])[key]
