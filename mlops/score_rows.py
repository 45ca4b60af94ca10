"""Turns a file into requests: a JSON body as it is, rows of a table in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from contract import Feature
from errors import StartupError
from mlops import sample

ROWS = 100
"""The service's own limit, SCORING_MAX_BATCH_SIZE, by default."""

BLOCK = 100 * ROWS
"""Rows that leave pandas at once: each time costs as much as some hundred of them."""


@dataclass(frozen=True)
class Rows:
    """``body``: a request for ``count`` rows. ``first``: the number of its first in the file, from 1, if it has one."""

    body: bytes
    first: int | None
    count: int


def batches(path: Path, features: Sequence[Feature] = (), told: Mapping[str, Feature] | None = None) -> list[Rows]:
    """CSV, JSON lines or Parquet as requests of at most 100 rows. Raises StartupError.

    ``features``: of the model's contract, ``told``: by the user, both of a CSV's columns.
    """
    frame = sample.read(path, features, told)
    sample.features_of(frame)
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(float, na_value=np.nan))
    if infinite.any():
        raise StartupError(
            f"Row {infinite.any(axis=1).argmax() + 1} of {path} holds an infinite number; JSON has none."
        )
    return list(_split(frame))


def _split(frame: pd.DataFrame) -> Iterator[Rows]:
    named = all(isinstance(name, str) for name in frame.columns)
    for block in range(0, len(frame), BLOCK):
        rows = sample.rows_of(frame.iloc[block : block + BLOCK])
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            table = {"columns": list(frame.columns), "data": part} if named else part
            yield Rows(orjson.dumps({"input_data": table}), block + start + 1, len(part))
