"""Finding a competition's folder and what it says about itself."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from common.config import Config, explain
from common.errors import KitError, did_you_mean
from common.metrics.base import Metric
from common.metrics.choose import choose_metrics


@dataclass(frozen=True)
class Competition:
    """A folder under `competitions/`, whose modules are imported when they are needed."""

    name: str

    @classmethod
    def find(cls, name: str) -> "Competition":
        """Return the competition, or say which ones there are."""
        known = list_competitions()
        if name not in known:
            raise KitError(
                f"unknown competition '{name}'; {did_you_mean(name, known)}; "
                "or make it with: kit new NAME --task classification"
            )
        return cls(name)

    def module(self, part: str) -> ModuleType:
        """Import config, data, train, predict or demo of the competition."""
        name = f"competitions.{self.name}.{part}"
        try:
            return importlib.import_module(name)
        except ValidationError as error:  # of a Config that the module makes
            told = f"competitions/{self.name}/{part}.py: {explain(error)}"
            raise KitError(told) from None
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise KitError(
                f"{self.name} has no {part}.py; add competitions/{self.name}/{part}.py"
            ) from None

    def experiment(self, name: str) -> Config:
        """Return a named experiment's config."""
        experiments: dict[str, Config] = self.module("config").EXPERIMENTS
        if name not in experiments:
            raise KitError(f"unknown experiment '{name}'; {did_you_mean(name, experiments)}")
        return experiments[name]

    def metrics(self, config: Config) -> list[Metric]:
        """Return the metrics that the config names, the competition's own first."""
        own = getattr(self.module("config"), "METRICS", ())
        return choose_metrics(config, own)


def list_competitions() -> list[str]:
    """Return the folders under `competitions/` that hold a config."""
    return sorted(file.parent.name for place in _places() for file in place.glob("*/config.py"))


def competitions_dir() -> Path:
    """Return the folder in which new competitions are made."""
    return _places()[0]


def _places() -> list[Path]:
    # Imported by name: the library knows that there are competitions, and none of them.
    return [Path(place) for place in importlib.import_module("competitions").__path__]
