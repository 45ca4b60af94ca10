"""Checks the values of one column against the contract and brings them into canonical form.

A column is read as a whole, by calls that loop in C: with a Python call for each value, reading a
hundred rows would cost more than predicting them. Only in a column that breaks the contract are the
values read one by one, to name the first that does.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Collection, Sequence
from types import NoneType
from typing import Any

import numpy as np

from azureml_scoring.errors import ClientError, MissingValue, OutOfRange, WrongType
from azureml_scoring.inputs.feature import (
    ANY,
    BOOLEAN,
    CATEGORY,
    DATETIME,
    TEXT,
    Feature,
    NumberRange,
)
from azureml_scoring.inputs.moment import FIRST_YEAR, LAST_YEAR, moments
from azureml_scoring.inputs.number_columns import MOST_EXACT

NUMBER = "number"
"""What categories may be, beside texts and booleans."""

ACCEPTED_TYPES: dict[str, set[type]] = {
    TEXT: {str},
    BOOLEAN: {bool},
    NUMBER: {int, float},
    CATEGORY: {int, float, str, bool},
    DATETIME: {str},
    ANY: {int, float, str, bool},
}
"""Types of JSON values by dtype, for all but numbers' own."""

DESCRIPTIONS = {
    TEXT: "text",
    BOOLEAN: "true or false",
    NUMBER: "a number",
    CATEGORY: "one of its categories",
    DATETIME: "a date or time in ISO 8601 and without a time zone, "
    "as in 2025-11-09 or 2025-11-09T10:00:00",
    ANY: "a number, text or boolean",
}


ADD_ZERO = (0.0).__add__
"""Makes a float of a number, and 0.0 of -0.0."""

SAME: dict[type, Callable[[Any], Any]] = {
    str: str,
    int: int,
    bool: bool,
    NoneType: {None: None}.__getitem__,
}
"""Type of a value -> what returns just that value."""


class BrokenRule(Exception):
    """A value breaks a rule of the contract. ``rule``: the end of "Feature x must ..."."""

    def __init__(self, error: type[ClientError], rule: str) -> None:
        super().__init__(rule)
        self.error = error
        self.rule = rule


class Column:
    """Texts, booleans or values of any type, which stay as they are."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        self._accepts = {
            *accepted_types(feature),
            *([NoneType] if feature.missing else []),
        }.issuperset

    def read(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        """Return the values in canonical form. Raises BrokenRule.

        ``types``: of the values.
        """
        if not self._accepts(types):
            if NoneType in types and not self.feature.missing:
                raise BrokenRule(
                    MissingValue, "not be null: the model takes no missing values there"
                )
            raise BrokenRule(WrongType, f"be {described(self.feature)}")
        return self._canonical(values, types)

    def reader(self, kind: type) -> Callable[[Any], Any]:
        """Return a function that returns one value of this type in canonical form. It raises
        BrokenRule or LookupError."""
        if self._accepts((kind,)) and (quick := self._quick_reader(kind)):
            return quick
        types = (kind,)
        return lambda value: self.read((value,), types)[0]

    def _quick_reader(self, kind: type) -> Callable[[Any], Any] | None:
        """Return a reader without a Python call, if there is one; each row of a small body would
        take longest in those."""
        if kind is float:
            return ADD_ZERO
        return SAME.get(kind)

    def first_broken(self, values: Sequence[Any]) -> tuple[int, BrokenRule]:
        """Return the place of the first value that breaks a rule, and the rule."""
        for i, value in enumerate(values):
            try:
                self.read((value,), (type(value),))
            except BrokenRule as broken:
                return i, broken
        raise ValueError("No value breaks a rule.")

    def _canonical(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        if float in types and 0.0 in values:  # -0.0 is 0.0, and 1 stays apart from 1.0
            return [value + 0.0 if type(value) is float else value for value in values]
        return values


class KnownColumn(Column):
    """Values of the fit, where the model refuses all others."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(feature)
        self._known = {*feature.categories, None}

    def _quick_reader(self, kind: type) -> Callable[[Any], Any] | None:
        # 1 and true stay what they are, although they are equal
        return {value: value for value in self._known if type(value) is kind}.__getitem__

    def _canonical(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        if not self._known >= {*values}:
            raise _unknown(self.feature)
        return super()._canonical(values, types)


class CategoryColumn(Column):
    """Categories. Of equal ones, as 1 and true, the first of the fit is meant."""

    def __init__(self, feature: Feature) -> None:
        super().__init__(feature)
        self._category: dict[Any, Any] = {None: None}
        for category in feature.categories:
            self._category.setdefault(category, category)

    def _quick_reader(self, kind: type) -> Callable[[Any], Any] | None:
        return None if self.feature.unseen else self._category.__getitem__

    def _canonical(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        if self.feature.unseen:
            return list(map(self._category.get, values, values))
        try:
            return list(map(self._category.__getitem__, values))
        except KeyError:
            raise _unknown(self.feature) from None


class MomentColumn(Column):
    """Dates and times, each in full down to the nanosecond."""

    def _quick_reader(self, kind: type) -> Callable[[Any], Any] | None:
        return None

    def _canonical(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        missing = NoneType in types
        texts = [text for text in values if text is not None] if missing else values
        try:
            full = moments(texts) if texts else []
        except ValueError:
            rule = f"be {described(self.feature)}, from {FIRST_YEAR} to {LAST_YEAR}"
            raise BrokenRule(WrongType, rule) from None
        return list(map(dict(zip(texts, full, strict=True)).get, values)) if missing else full


class NumberColumn(Column):
    """Whole numbers, or floats as the dtype holds them; null is NaN."""

    def __init__(self, feature: Feature, held_as: str | None) -> None:
        """``held_as``: the dtype of the rows; None for that of the feature."""
        super().__init__(feature)
        self._whole = feature.whole
        self._bounded = feature.dtype != "float64"  # the parser refuses what float64 can't hold
        self._least, self._most = NumberRange.of(feature)
        self._held_as = feature.dtype
        floats = held_as == "float64" or feature.missing  # pandas has floats beside NaN
        if self._whole and floats:
            bounds = max(self._least, -MOST_EXACT), min(self._most, MOST_EXACT)
            if bounds != (self._least, self._most):
                self._held_as = f"{feature.dtype} and, exactly, float64"
                self._least, self._most = bounds
        known = np.array(feature.categories, feature.dtype).tolist()
        self._knows = {*known}.issuperset

    def _quick_reader(self, kind: type) -> Callable[[Any], Any] | None:
        if self.feature.categories:
            return None
        if kind is NoneType:
            return {None: np.nan}.__getitem__
        if self._whole:
            return self._whole_number if kind is int else None
        return None if self._bounded else ADD_ZERO

    def _whole_number(self, value: int) -> int:
        if not self._least <= value <= self._most:
            raise self._out_of_range
        return value

    def _canonical(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        numbers = self._numbers(values, types)
        if self.feature.categories:
            present = itertools.filterfalse(math.isnan, numbers)
            if not self._knows(present):
                raise _unknown(self.feature)
        return numbers

    def _numbers(self, values: Sequence[Any], types: Collection[type]) -> Sequence[Any]:
        missing = NoneType in types
        fractions = float in types
        if self._bounded:
            numbers = [value for value in values if value is not None] if missing else values
            if numbers and not (self._least <= min(numbers) and max(numbers) <= self._most):
                raise self._out_of_range
            if self._whole and fractions and any(map(operator.mod, numbers, itertools.repeat(1))):
                raise self._out_of_range
        if not self._whole:
            if types == (float,) and not self._bounded and 0.0 not in values:  # nor -0.0
                return values
            if self._bounded:
                values = np.array(values, self.feature.dtype).tolist()
            return [np.nan if value is None else value + 0.0 for value in values]
        if fractions or missing:
            return [np.nan if value is None else int(value) for value in values]
        return values

    @property
    def _out_of_range(self) -> BrokenRule:
        return BrokenRule(OutOfRange, f"be {described(self.feature)} that fits {self._held_as}")


def column(feature: Feature, held_as: str | None = None) -> Column:
    """Return the reader of a feature's values. ``held_as``: the dtype of the rows, which must hold
    whole numbers exactly."""
    if feature.numeric:
        return NumberColumn(feature, held_as)
    if feature.categories and feature.dtype != CATEGORY:
        return KnownColumn(feature)
    return {CATEGORY: CategoryColumn, DATETIME: MomentColumn}.get(feature.dtype, Column)(feature)


def described(feature: Feature) -> str:
    """Say what the values of a feature must be, as the end of "must be ..."."""
    if feature.numeric:
        return "a whole number" if feature.whole else "a number"
    return DESCRIPTIONS[_open_kind(feature)] if feature.unseen else DESCRIPTIONS[feature.dtype]


def accepted_types(feature: Feature) -> set[type]:
    """Return the types of JSON values that a column takes, beside null."""
    if feature.unseen:
        return ACCEPTED_TYPES[_open_kind(feature)]
    return ACCEPTED_TYPES.get(feature.dtype, {int, float})


def _open_kind(feature: Feature) -> str:
    """Return the kind of values that a column takes beside its categories: values like them."""
    types = set(map(type, feature.categories))
    return next((kind for kind in (BOOLEAN, NUMBER, TEXT) if types <= ACCEPTED_TYPES[kind]), ANY)


def _unknown(feature: Feature) -> BrokenRule:
    count = len(feature.categories)
    return BrokenRule(
        WrongType, f"be one of the {count} values of the fit: the model takes no others there"
    )
