"""Loads, in requests of each second: named shapes, or a trace in a CSV file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from azureml_scoring.errors import StartupError

COLUMNS = ("seconds", "requests_per_second")
CHANGE_S = 300
"""Time before a step or a spike, and the length of a spike."""

MAX_TRACE_S = 31 * 86400
"""A month."""

Shape = Callable[[np.ndarray, int], np.ndarray]
"""Seconds, and how many there are -> 0 for the base up to 1 for the peak."""

SHAPES: dict[str, tuple[int, Shape]] = {
    "step": (30, lambda seconds, _: np.where(seconds < CHANGE_S, 0.0, 1.0)),
    "spike": (
        30,
        lambda seconds, _: np.where((seconds >= CHANGE_S) & (seconds < 2 * CHANGE_S), 1.0, 0.0),
    ),
    "ramp": (30, lambda seconds, length: seconds / length),
    "daily": (24 * 60, lambda seconds, length: (1 - np.cos(2 * np.pi * seconds / length)) / 2),
}
"""Name -> length in minutes by default, and shape."""


def named(name: str, *, base: float, peak: float, minutes: int | None = None) -> np.ndarray:
    """Return a load of a named shape: requests/s, one number for each second."""
    usual, shape = SHAPES[name]
    length = 60 * (minutes or usual)
    return base + (peak - base) * shape(np.arange(length, dtype=float), length)


def trace(file: Path) -> np.ndarray:
    """Read a load from a CSV file, interpolated between its rows: requests/s, one number for each
    second. Raises StartupError."""
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise StartupError(
            f"{file} is not a readable CSV file ({type(error).__name__}); give another."
        ) from None
    if missing := set(COLUMNS) - set(table):
        raise StartupError(
            f"{file} lacks the column {sorted(missing)[0]}; it needs {' and '.join(COLUMNS)}."
        )
    columns = [pd.to_numeric(table[column], errors="coerce").to_numpy(float) for column in COLUMNS]
    seconds, rates = columns
    if not (
        np.isfinite(columns).all()
        and len(seconds) > 1
        and (np.diff(seconds) > 0).all()
        and (rates >= 0).all()
    ):
        raise StartupError(
            f"{file} needs rows of numbers: seconds that rise, and requests/s from 0; correct it."
        )
    if seconds[-1] - seconds[0] > MAX_TRACE_S:
        raise StartupError(f"{file} covers more than {MAX_TRACE_S // 86400} days; cut it.")
    rate: np.ndarray = np.interp(np.arange(seconds[0], seconds[-1] + 1), seconds, rates)
    return rate
