"""Reads the cells of a CSV as the values that JSON would hold, by the feature that they are for.

Files are read by the same rules (docs/score.md). A cell that its column can't hold stays a text,
which the contract refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import orjson

from azureml_scoring.inputs.feature import BOOLEAN, CATEGORY, DATETIME, Feature, Scalar

MISSING_WORDS = {"", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "NULL", "null", "None"}
"""What stands for a missing value among numbers and booleans, where it can't mean anything else."""

BOOLEANS = {"true": True, "false": False, "1": True, "0": False}

NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
WHOLE_NUMBER = re.compile(r"\s*[+-]?\d{1,20}\s*", re.ASCII)

LEAST_WHOLE, MOST_WHOLE = -(2**63), 2**64 - 1
"""JSON's parser reads whole numbers beyond these as floats."""


def is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell))


def cell_values(cells: Sequence[str], feature: Feature) -> Sequence[Any]:
    """Return the values of a column's cells. ``feature``: not of the type ``any``."""
    if feature.numeric and (plain := _json_numbers(cells)) is not None:
        return plain
    read, missing = _reader(feature)
    values = {cell: None if cell in missing else read(cell) for cell in set(cells)}
    return list(map(values.__getitem__, cells))


def _json_numbers(cells: Sequence[str]) -> list[Any] | None:
    """Read all cells at once; None if one is neither a JSON number nor empty."""
    try:
        values: list[Any] = orjson.loads(f"[{','.join([cell or 'null' for cell in cells])}]")
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    plain = len(values) == len(cells) and set(map(type, values)) <= {int, float, NoneType}
    return values if plain else None


def _reader(feature: Feature) -> tuple[Callable[[str], Any], set[str]]:
    """Return the function that reads a cell, and the cells that are missing values."""
    if feature.numeric:
        return _number, MISSING_WORDS
    if feature.dtype == BOOLEAN:
        return lambda cell: BOOLEANS.get(cell.strip().lower(), cell), MISSING_WORDS
    if feature.dtype == CATEGORY:
        return _category_reader(feature)
    return (str.strip if feature.dtype == DATETIME else str), {""}


def _number(cell: str) -> int | float | str:
    if WHOLE_NUMBER.fullmatch(cell) and LEAST_WHOLE <= (whole := int(cell)) <= MOST_WHOLE:
        return whole
    if NUMBER.fullmatch(cell) and math.isfinite(number := float(cell)):
        return number
    return cell


def _category_reader(feature: Feature) -> tuple[Callable[[str], Any], set[str]]:
    by_text = {
        text: category
        for category in reversed(feature.categories)  # of equal texts, the first of the fit
        for text in _texts(category)
    }
    numbers = {type(category) for category in feature.categories} & {int, float}

    def read(cell: str) -> Any:
        return by_text[cell] if cell in by_text else _number(cell) if numbers else cell

    return read, MISSING_WORDS.difference(by_text) if numbers else {""}


def _texts(category: Scalar) -> set[str]:
    text = str(category)
    return {text, text.lower(), text.upper()} if isinstance(category, bool) else {text}
