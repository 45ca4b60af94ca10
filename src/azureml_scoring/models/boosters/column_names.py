"""Tells a booster's column names from those that its library made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def own_names(names: Sequence[Any] | None) -> list[str] | None:
    """Return a booster's column names; None if the library made them up."""
    names = [str(name) for name in names or ()]
    made_up = ([f"Column_{i}" for i in range(len(names))], [str(i) for i in range(len(names))])
    return None if names in made_up else names
