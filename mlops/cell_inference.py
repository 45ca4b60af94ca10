"""Infers what a column holds from its cells alone: texts, numbers or booleans.

A column is text unless every cell that is not empty is a number, or every one is true or false.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

from azureml_scoring.inputs.cells import MISSING_WORDS
from azureml_scoring.inputs.feature import BOOLEAN, TEXT
from azureml_scoring.models.estimators.known_features import MAX_EXACT_INTEGER
from azureml_scoring.models.estimators.known_values import NUMBER

BOOLEANS = {"true": True, "false": False}
PLAIN_NUMBER = re.compile(
    r"\s*(-?(0|[1-9]\d*)?(?(2)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?inf)\s*", re.ASCII
)
"""A number that is not a code: without leading zeros or a plus."""

DIGITS = re.compile(r"\s*[+-]?\d+(\.\d*)?\s*", re.ASCII)
WHOLE_NUMBER = re.compile(r"\s*-?\d+\s*", re.ASCII)


def inferred(cells: Collection[str]) -> str:
    """Return TEXT, BOOLEAN or NUMBER.

    Whole numbers that neither a float nor an int64 holds exactly are codes, so they are texts.
    """
    distinct = set(cells)
    gaps = "" in distinct
    distinct.discard("")
    if 0 < len(distinct) < 7 and {cell.lower() for cell in distinct} <= BOOLEANS.keys():
        return BOOLEAN
    if not all(map(PLAIN_NUMBER.fullmatch, distinct)):
        return TEXT
    whole = [int(cell) for cell in distinct if WHOLE_NUMBER.fullmatch(cell)]
    limit = 2**63 - 1 if len(whole) == len(distinct) and not gaps else MAX_EXACT_INTEGER
    return NUMBER if all(abs(value) <= limit for value in whole) else TEXT


def is_number(cell: str) -> bool:
    return bool(PLAIN_NUMBER.fullmatch(cell))


def are_codes(cells: Collection[str]) -> bool:
    """Return whether all cells look like numbers but are kept as text."""
    distinct = {*cells} - {""}
    return bool(distinct) and all(map(DIGITS.fullmatch, distinct)) and inferred(cells) == TEXT


def parsed_cells(cells: Sequence[str]) -> list[Any]:
    """Read each cell by itself, as JSON may hold it: a number, a boolean or a text; None for a
    missing one."""
    values = {cell: _by_itself(cell) for cell in {*cells}}
    return [values[cell] for cell in cells]


def _by_itself(cell: str) -> Any:
    if cell in MISSING_WORDS:
        return None
    if not is_number(cell):
        return BOOLEANS.get(cell.lower(), cell)
    number = float(cell)
    if not math.isfinite(number):
        return cell
    return (
        int(cell) if WHOLE_NUMBER.fullmatch(cell) and abs(number) <= MAX_EXACT_INTEGER else number
    )


def stray_cells(cells: Sequence[str]) -> list[int]:
    """Return the rows of the few cells that keep a column from being numbers; else none."""
    other = {cell for cell in {*cells} - {""} if not is_number(cell)}
    rows = [row for row, cell in enumerate(cells) if cell in other]
    numbers = len(cells) - cells.count("") - len(rows)
    return rows if numbers > len(rows) else []
