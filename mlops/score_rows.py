"""Turns a file into requests: a JSON body as it is, rows of a table in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from errors import StartupError
from mlops import sample

ROWS = 100
"""The service's own limit, SCORING_MAX_BATCH_SIZE, by default."""


@dataclass(frozen=True)
class Rows:
    """``body``: a request for ``count`` rows. ``first``: the number of its first in the file, from 1, if it has one."""

    body: bytes
    first: int | None
    count: int


def batches(path: Path) -> list[Rows]:
    """CSV, JSON lines or Parquet as requests of at most 100 rows. Raises StartupError."""
    frame = sample.read(path)
    sample.features_of(frame)
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(float))
    if infinite.any():
        raise StartupError(
            f"Row {infinite.any(axis=1).argmax() + 1} of {path} holds an infinite number; JSON has none."
        )
    return list(_split(frame))


def _split(frame: pd.DataFrame) -> Iterator[Rows]:
    named = all(isinstance(name, str) for name in frame.columns)
    for start in range(0, len(frame), ROWS):
        part = frame.iloc[start : start + ROWS]
        rows = sample.rows_of(part)
        table = {"columns": list(frame.columns), "data": rows} if named else rows
        yield Rows(orjson.dumps({"input_data": table}), start + 1, len(part))
