"""Turns a file into requests: a JSON body as it is, rows of a table in batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd

from azureml_scoring.errors import StartupError
from azureml_scoring.inputs.contract import ANY, TEXT, Feature
from mlops import sample
from mlops.column_types import each_by_itself
from mlops.csv_file import CsvFile, Types
from mlops.read_as import listed

ROWS = 100
"""The service's own limit, SCORING_MAX_BATCH_SIZE, by default."""

BLOCK = 100 * ROWS
"""Rows that leave pandas at once: each time costs as much as some hundred of them."""


@dataclass(frozen=True)
class Rows:
    """A request for some rows of a file.

    ``body``: the request, for ``count`` rows. ``first``: its first row's number in the file, from
    1, if it has one. ``lines``: each row's line in the file, if it has lines. ``mixed``: column ->
    its cells, each read by itself, for columns that are sent as text and hold other values too.
    """

    body: bytes
    first: int | None
    count: int
    lines: Sequence[int] = ()
    mixed: Mapping[int, Sequence[Any]] = field(default_factory=dict)

    def place(self, row: int) -> str | None:
        """Name the place of a row of the body, from 0; None for a row that has no number in the
        file."""
        if self.first is None or row >= self.count:
            return None
        line = f", line {self.lines[row]}" if self.lines else ""
        return f"row {self.first + row}{line} of the file"

    def with_mixed(self, columns: Collection[int]) -> bytes:
        """Return the body with the ``mixed`` cells of those columns."""
        if not columns:
            return self.body
        document = orjson.loads(self.body)
        rows = document["input_data"]
        for column in columns:
            for row, value in zip(
                rows["data"] if isinstance(rows, dict) else rows, self.mixed[column], strict=True
            ):
                row[column] = value
        return orjson.dumps(document)


def batches(
    path: Path,
    features: Sequence[Feature] = (),
    told: Mapping[str, Feature] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Rows]:
    """CSV, JSON lines or Parquet as requests of at most 100 rows. Raises StartupError.

    ``features``: of the model's contract, ``told``: by the user, both of a CSV's columns.
    """
    found = sample.load(path)
    frame = sample.typed_frame(found, features, told)
    held = check_json(frame, path)
    if isinstance(found, CsvFile) and (guessed := _guessed(frame, held, features, told or {})):
        say(
            f"note: by their cells, {listed(guessed)} are read as numbers or booleans, and the "
            "model does not tell whether it takes texts there; if it does, add --text COLUMN"
        )
    known = found.by_column(features) | found.told(told or {}) if isinstance(found, CsvFile) else {}
    return list(_split(frame, _lines(path, found), _mixed(found, held, known)))


def _lines(path: Path, found: CsvFile | pd.DataFrame) -> Sequence[int]:
    if isinstance(found, CsvFile):
        return found.lines
    if path.suffix.lower() == ".jsonl":
        return [
            number for number, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()
        ]
    return ()


def _mixed(
    found: CsvFile | pd.DataFrame, held: Sequence[Feature], known: Types
) -> dict[int, list[Any]]:
    """Read the cells of a CSV's columns that are text only because some cells are: column ->
    cells."""
    if not isinstance(found, CsvFile):
        return {}
    texts = [
        place
        for place, (name, feature) in enumerate(zip(found.columns, held, strict=True))
        if feature.dtype == TEXT and (name not in known or known[name].dtype == ANY)
    ]
    read = {place: each_by_itself(found.cells[place]) for place in texts}
    return {
        place: values
        for place, values in read.items()
        if not all(isinstance(v, str | None) for v in values)
    }


def check_json(frame: pd.DataFrame, path: Path) -> tuple[Feature, ...]:
    """What its columns hold. Raises StartupError for what JSON does not hold."""
    held = sample.features_of(frame)
    infinite = np.isinf(frame.select_dtypes("number").to_numpy(float, na_value=np.nan))
    if infinite.any():
        raise StartupError(
            f"Row {infinite.any(axis=1).argmax() + 1} of {path} holds "
            "an infinite number; JSON has none."
        )
    return held


def _guessed(
    frame: pd.DataFrame,
    held: Sequence[Feature],
    features: Sequence[Feature],
    told: Mapping[str, Feature],
) -> list[str]:
    """Columns that the model leaves open, and whose cells are no texts."""
    left_open = {
        str(place) if f.name is None else f.name
        for place, f in enumerate(features)
        if f.dtype == ANY
    }
    names = [str(name) for name in frame.columns]
    return [
        name
        for name, column in zip(names, held, strict=True)
        if name in left_open and name not in told and column.dtype not in (TEXT, ANY)
    ]


def _split(
    frame: pd.DataFrame, lines: Sequence[int], mixed: Mapping[int, Sequence[Any]]
) -> Iterator[Rows]:
    named = all(isinstance(name, str) for name in frame.columns)
    for block in range(0, len(frame), BLOCK):
        rows = sample.rows_of(frame.iloc[block : block + BLOCK])
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            table = {"columns": list(frame.columns), "data": part} if named else part
            here = slice(block + start, block + start + len(part))
            yield Rows(
                orjson.dumps({"input_data": table}),
                here.start + 1,
                len(part),
                lines[here],
                {column: values[here] for column, values in mixed.items()},
            )
