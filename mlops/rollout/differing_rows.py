"""Says which rows differ: the part of the data where they are concentrated, and some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy import special

CHANCE = 0.01
"""How likely chance alone names a part, whatever the number of columns."""

MAX_LEVELS = 20
"""A column with more texts has no parts; that of more numbers is cut at its quartiles."""

MAX_NAMED_ROWS = 5

Part = tuple[str, np.ndarray]
"""A part of the rows in words, and whether each row is in it."""


def which_differ(
    rows: Sequence[Sequence[Any]], columns: Sequence[str] | None, different: Sequence[bool]
) -> str:
    """Return the part of a sentence that names them; empty if none differ."""
    differ = np.array(different)
    if not differ.any():
        return ""
    names = columns or [f"column {place + 1}" for place in range(len(rows[0]))]
    parts = [
        part
        for name, values in zip(names, zip(*rows, strict=True), strict=True)
        for part in _parts(name, values)
    ]
    numbers = np.flatnonzero(differ) + 1
    more = ", ..." if numbers.size > MAX_NAMED_ROWS else ""
    text = f"rows {', '.join(map(str, numbers[:MAX_NAMED_ROWS]))}{more} of those asked"
    chances = [_chance(differ, inside) for _, inside in parts]
    if chances and min(chances) * len(parts) < CHANCE:
        words, inside = parts[int(np.argmin(chances))]
        text += (
            f"; mostly where {words} ({differ[inside].sum()} of {inside.sum()} rows, "
            f"{differ[~inside].sum()} of {(~inside).sum()} others)"
        )
    return text


def _chance(differ: np.ndarray, inside: np.ndarray) -> float:
    """Return the p-value of: no more rows differ inside than outside (Fisher's exact test)."""
    rows, within, total = differ.size, int(inside.sum()), int(differ.sum())
    as_many = np.arange(int(differ[inside].sum()), min(total, within) + 1)
    logarithms = _log_choose(within, as_many) + _log_choose(rows - within, total - as_many)
    return float(np.exp(logarithms - _log_choose(rows, np.array(total))).sum())


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    """Return the logarithm of: in how many ways k of n can be chosen."""
    ways: np.ndarray = -special.betaln(n - k + 1, k + 1) - np.log(n + 1)
    return ways


def _parts(name: str, values: Sequence[Any]) -> Iterator[Part]:
    missing = np.array([value is None for value in values])
    if missing.any():
        yield f"{name} is missing", missing
    present = [value for value in values if value is not None]
    levels = {str(value) for value in present}
    if len(levels) <= MAX_LEVELS:
        texts = np.array([str(value) for value in values])
        for level in sorted(levels):
            yield f"{name} = {level}", (texts == level) & ~missing
    elif all(isinstance(value, int | float) for value in present):
        numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
        ends = np.nanquantile(numbers, [0.25, 0.5, 0.75])
        for end in ends:
            yield f"{name} <= {end:.4g}", numbers <= end
            yield f"{name} > {end:.4g}", numbers > end
