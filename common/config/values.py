"""Frozen plain values with checked names and types; what every section is made of."""

from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import KitError, did_you_mean

V = TypeVar("V", bound="Values")


class Values(BaseModel):
    """Frozen plain values; an unknown name or a wrong type is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a checked copy; names may be dotted: `update={"train.epochs": 8}`."""
        values = self.model_dump()
        for key, value in (update or {}).items():
            _set(values, type(self), key, value)
        return validate(type(self), values)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `dotted.key, value` for every leaf of nested values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


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


def validate(model: type[V], values: Mapping[str, Any]) -> V:
    """Return the values as a model, or a KitError that says in one line what is wrong."""
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
