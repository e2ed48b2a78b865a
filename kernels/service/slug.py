"""Kaggle's name of a competition."""

from common.competition import Competition
from common.errors import KitError


def slug_of(name: str) -> str:
    """Return the slug that the competition's config gives.

    Raises:
        KitError: it has none, as one that is not on Kaggle; says where its data is, if known.
    """
    competition = Competition.find(name)
    slug = next(iter(competition.module("config").EXPERIMENTS.values())).slug
    if slug:
        return slug
    elsewhere = getattr(competition.module("data"), "HOW_TO_GET", "")
    remedy = elsewhere or f"set slug in competitions/{name}/config.py: its name in the address"
    raise KitError(f"expected Kaggle's name (slug) of {name}, got none: {remedy}")
