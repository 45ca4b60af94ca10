"""Reads a CSV as the model takes it, and says what was read as what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from contract import ANY, BOOLEAN, CATEGORY, TEXT, Feature
from mlops.column_types import MISSING, NUMBER, stray
from mlops.csv_file import CsvFile, Types
from mlops.fitted_types import fitted_types
from mlops.sample import dtype_of

NAMED = 8
"""How many columns a line names."""

KINDS = {NUMBER: "numbers", TEXT: "texts", BOOLEAN: "true or false", CATEGORY: "categories", ANY: "nothing at all"}
MEANT = MISSING - {""}


def as_fitted(
    file: CsvFile,
    estimator: Any,
    signature: Sequence[Feature],
    told: Mapping[str, Feature],
    say: Callable[[str], None],
) -> pd.DataFrame:
    """``signature``: of an MLflow folder. ``told``: by the user, whose word comes first. Raises StartupError."""
    types = fitted_types(estimator, file.columns) | file.by_column(signature) | file.told(told)
    frame = file.frame(types)
    say(f"Read {file.path}: {len(frame)} rows")
    for line in [*_kinds(frame), *_notes(file, frame, types)]:
        say(f"  {line}")
    return frame


def _kinds(frame: pd.DataFrame) -> Iterator[str]:
    by_kind = defaultdict(list)
    for name in frame.columns:
        dtype = dtype_of(name, frame[name])
        by_kind[dtype if dtype in KINDS else NUMBER].append(name)
    return (f"{KINDS[kind]}: {_list(by_kind[kind])}" for kind in KINDS if kind in by_kind)


def _notes(file: CsvFile, frame: pd.DataFrame, types: Types) -> Iterator[str]:
    """On columns whose cells may mean something else than what they were read as."""
    for name, cells in zip(file.columns, file.cells, strict=True):
        known = types.get(name)
        if pd.api.types.is_numeric_dtype(frame[name]):
            continue
        rows = stray(cells)
        words = MEANT.intersection(cells) - {*(known.categories if known else ())}
        if rows and known is None:
            yield (
                f"note: {name} is text for {len(rows)} cells that are no numbers, the first in line "
                f"{file.lines[rows[0]]}; leave them empty where values are missing"
                + (f", or add --dtype {name}=float64" if MEANT.issuperset(cells[row] for row in rows) else "")
            )
        elif words:
            found = ", ".join(sorted(words))
            yield f"note: {found} in {name} is a text; leave those cells empty where they mean that values are missing"


def _list(names: Sequence[Any]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more
