"""Tells that something else than commas separates the values of a CSV, as some spreadsheets write
it."""

from __future__ import annotations

import re
from collections.abc import Sequence

OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

NUMBER = re.compile(r"[+-]?[\d.]*(,\d+)?([eE][+-]?\d+)?", re.ASCII)
"""A number, maybe with a comma for the point, or nothing."""


def other_separator(cells: Sequence[str]) -> str | None:
    """Return what separates the values of a line, such as "semicolons"; None for commas.

    ``cells``: the line, split at its commas. Those may be in numbers: ``1,5;2,0``.
    """
    line = ",".join(cells)
    for sign, noun in OTHER_SEPARATORS.items():
        values = line.split(sign)
        numbers = all(NUMBER.fullmatch(value.strip()) for value in values)
        if len(values) > 1 and (len(cells) == 1 or numbers):
            return noun
    return None
