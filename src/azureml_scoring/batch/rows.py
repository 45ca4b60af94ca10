"""The rows of a chunk of a file, in each form that a file may have.

Each form is checked by the code that checks it in a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import orjson

from azureml_scoring.errors import MalformedCsv, MalformedJson, WrongShape
from azureml_scoring.inputs import csv_body, decoders
from azureml_scoring.inputs.arrow_table import table_of
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.unique_keys import check_unique
from validation import typed

Record = list[str] | None
"""The cells of a CSV's record; None for one that can't be read."""


@dataclass(frozen=True)
class Rules:
    """What rows are checked against."""

    contract: Contract
    limits: Limits


class Rows(Protocol):
    """Rows of a file, which can be taken apart to find the bad ones."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice) -> Rows: ...

    def matrix(self) -> np.ndarray:
        """Return the rows of a batch, as ``Batch.X``. Raises ClientError for a bad row."""

    def column(self, part: str) -> str:
        """Return a column's name by the last part of an error's location."""


@dataclass(frozen=True)
class CsvRows:
    """``header``: the names of the columns, or None for the order of the fit."""

    records: Sequence[Record]
    header: list[str] | None
    rules: Rules

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, places: slice) -> CsvRows:
        return replace(self, records=self.records[places])

    def matrix(self) -> np.ndarray:
        records = [record for record in self.records if record is not None]
        if len(records) < len(self.records):
            raise MalformedCsv("The row is not in UTF-8, or a quote is not closed or doubled.", "")
        contract, limits = self.rules.contract, self.rules.limits
        return typed(csv_body.of_records(records, self.header, contract, limits), contract)

    def column(self, part: str) -> str:
        return _name(self.header or self.rules.contract.column_names, part)


@dataclass(frozen=True)
class JsonRows:
    """Lines of JSON, each a record or a list of values."""

    lines: Sequence[bytes]
    rules: Rules

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, places: slice) -> JsonRows:
        return replace(self, lines=self.lines[places])

    def matrix(self) -> np.ndarray:
        try:
            rows = list(map(orjson.loads, self.lines))
        except orjson.JSONDecodeError:
            raise MalformedJson("The line is not valid JSON.", "") from None
        if not {*map(type, rows)} <= {dict, list}:
            raise WrongShape("A line must be an object, or a list of values.", "")
        contract = self.rules.contract
        table = decoders.decode(rows, "", contract, self.rules.limits)
        check_unique(b"[%s]" % b",".join(self.lines), table.keys, rows)
        return typed(table, contract)

    def column(self, part: str) -> str:
        return _name(self.rules.contract.column_names, part)


@dataclass(frozen=True)
class ArrowRows:
    """A ``pyarrow.Table`` of the model's columns, named by their places in the file.

    ``order``: for each feature the place of its column, or -1; ``names``: of the file's columns.
    """

    data: Any
    order: Sequence[int]
    names: Sequence[str]
    rules: Rules

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def __getitem__(self, places: slice) -> ArrowRows:
        start, stop, _ = places.indices(len(self))
        return replace(self, data=self.data.slice(start, stop - start))

    def matrix(self) -> np.ndarray:
        contract = self.rules.contract
        return typed(table_of(self.data, self.order, contract, self.rules.limits), contract)

    def column(self, part: str) -> str:
        return _name(self.names, part)


def _name(names: Sequence[str], part: str) -> str:
    """Return the name of a place; a record's error names the column itself."""
    return names[int(part)] if part.isdecimal() and int(part) < len(names) else part
