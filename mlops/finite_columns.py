"""The values to try of a column that a transformer may turn into a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from azureml_scoring.inputs.feature import BOOLEAN, CATEGORY, TEXT, Feature, Scalar

NEARBY: dict[bool, tuple[Callable[[Any], Any], ...]] = {
    True: (lambda value: value + 1, lambda value: value - 1, lambda value: -value),
    False: (
        lambda value: value + 0.25,
        lambda value: value + 1.0,
        lambda value: float(np.nextafter(value, np.inf)),
        lambda value: -value,
    ),
}
"""Numbers near one that is known, for whole numbers and for others."""


@dataclass(frozen=True)
class FiniteColumn:
    """A column of few values.

    known: all that the transformer may treat in a way of its own.
    others: values that it can't know, which it must treat alike.
    missing: what stands for a missing value, in a list; empty if the contract takes none.
    """

    place: int
    name: str
    known: list[Scalar]
    others: list[Scalar]
    missing: list[Any]


def finite_column(place: int, feature: Feature, known: list[Scalar]) -> FiniteColumn:
    """Return the values to try. ``known``: those of the fit, and of the sample if they are no
    numbers."""
    others: list[Scalar] = []
    if feature.dtype == BOOLEAN:
        known = [False, True]
    elif feature.dtype == CATEGORY:
        known = list(feature.categories)
        others = _unlike(known) if feature.unseen else []
    elif feature.dtype == TEXT:
        known = [value for value in known if isinstance(value, str)]
        others = unseen_texts(known)
    else:
        known = sorted(_as_typed(value, feature) for value in known if not isinstance(value, str))
        others = _unseen_numbers(known, feature)
    known = list(dict.fromkeys(known))
    return FiniteColumn(
        place,
        str(place) if feature.name is None else feature.name,
        known,
        [value for value in dict.fromkeys(others) if value not in set(known)],
        [np.nan if feature.numeric else None] if feature.missing else [],
    )


def joined_columns(columns: Iterable[FiniteColumn]) -> list[FiniteColumn]:
    """Return one for each column: what several transformers know of it, together."""
    by_place: dict[int, FiniteColumn] = {}
    for column in columns:
        before = by_place.get(column.place, column)
        known = dict.fromkeys([*before.known, *column.known])
        by_place[column.place] = dataclasses.replace(
            column,
            known=list(known),
            others=[v for v in dict.fromkeys([*before.others, *column.others]) if v not in known],
        )
    return list(by_place.values())


def unseen_texts(known: list[Any]) -> list[Any]:
    """Return texts of many kinds, most of them close to the first that are known."""
    close = [
        change(text)
        for text in known[:3]
        for change in (
            lambda text: f" {text}",
            lambda text: f"{text} ",
            lambda text: f"{text} {text}",
            str.swapcase,
            lambda text: text[:-1],
        )
    ]
    odd = [
        "",
        " ",
        "0",
        "-1.5",
        "nan",
        "None",
        "true",
        "\u00e9\u4e2d\U0001f600",
        "a\x00b",
        "x" * 5_000,
    ]
    return close + odd


def _unlike(known: list[Any]) -> list[Scalar]:
    """Return values that are not among these categories, of their type."""
    if all(isinstance(value, str) for value in known):
        return unseen_texts(known)
    numbers = [value for value in known if type(value) in (int, float)]
    if len(numbers) < len(known):
        return []
    near = [change(value) for value in numbers[:3] for change in NEARBY[True]]
    return [value for value in [*near, 0.5, -1, 2**31] if value not in numbers]


def _as_typed(value: Any, feature: Feature) -> Scalar:
    number: Scalar = np.dtype(feature.dtype).type(value).item()
    return number


def _unseen_numbers(known: list[Any], feature: Feature) -> list[Scalar]:
    whole = np.issubdtype(feature.dtype, np.integer)
    bounds = np.iinfo(feature.dtype) if whole else np.finfo(feature.dtype)
    first = [*known[:3], *known[-1:]]
    close = [odd(value) for value in first for odd in NEARBY[whole]]
    tried = [*close, 0, -1, 2**31, 1e-300, 1e30, -1e30]
    least, most = bounds.min, bounds.max
    return [
        _as_typed(value, feature)
        for value in tried
        if least <= value <= most and (not whole or value == int(value))
    ]
