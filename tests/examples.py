"""How many examples and cases a test tries."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest
from hypothesis import settings


def at_most(count: int) -> int:
    """Return the count, or the profile's if that is lower, as it may be in all but `make deep`."""
    return min(count, settings().max_examples)


def few_of(cases: Iterable[Any], kept: Collection[Any]) -> list[Any]:
    """Return the cases for ``parametrize``; only `make deep` runs those that are not kept."""
    every = [*cases]
    assert all(case in every for case in kept), f"not among the cases: {kept}"
    return [pytest.param(case, marks=() if case in kept else pytest.mark.deep) for case in every]
