"""Turns a file into requests: a JSON body as it is, rows of a table in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from contract import ANY, TEXT, Feature
from errors import StartupError
from mlops import sample
from mlops.read_as import listed

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


def batches(
    path: Path,
    features: Sequence[Feature] = (),
    told: Mapping[str, Feature] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Rows]:
    """CSV, JSON lines or Parquet as requests of at most 100 rows. Raises StartupError.

    ``features``: of the model's contract, ``told``: by the user, both of a CSV's columns.
    """
    frame = sample.read(path, features, told)
    held = check_json(frame, path)
    if path.suffix.lower() == ".csv" and (guessed := _guessed(frame, held, features, told or {})):
        say(
            f"note: by their cells, {listed(guessed)} are read as numbers or booleans, and the model does not tell "
            "whether it takes texts there; if it does, add --text COLUMN"
        )
    return list(_split(frame))


def check_json(frame: pd.DataFrame, path: Path) -> tuple[Feature, ...]:
    """What its columns hold. Raises StartupError for what JSON does not hold."""
    held = sample.features_of(frame)
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(float, na_value=np.nan))
    if infinite.any():
        raise StartupError(
            f"Row {infinite.any(axis=1).argmax() + 1} of {path} holds an infinite number; JSON has none."
        )
    return held


def _guessed(
    frame: pd.DataFrame, held: Sequence[Feature], features: Sequence[Feature], told: Mapping[str, Feature]
) -> list[str]:
    """Columns that the model leaves open, and whose cells are no texts."""
    left_open = {str(place) if f.name is None else f.name for place, f in enumerate(features) if f.dtype == ANY}
    names = [str(name) for name in frame.columns]
    return [
        name
        for name, column in zip(names, held, strict=True)
        if name in left_open and name not in told and column.dtype not in (TEXT, ANY)
    ]


def _split(frame: pd.DataFrame) -> Iterator[Rows]:
    named = all(isinstance(name, str) for name in frame.columns)
    for block in range(0, len(frame), BLOCK):
        rows = sample.rows_of(frame.iloc[block : block + BLOCK])
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            table = {"columns": list(frame.columns), "data": part} if named else part
            yield Rows(orjson.dumps({"input_data": table}), block + start + 1, len(part))
