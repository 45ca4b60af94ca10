"""Parses a CSV body into a table: UTF-8, separated by commas, with a header or without.

A CSV has no types, so the model's contract says what a cell is. An empty cell is a missing value.
Files are read by the same rules (docs/score.md).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from azureml_scoring.errors import (
    EmptyBody,
    MalformedCsv,
    TooManyElements,
    UnknownForm,
    WrongFeatures,
)
from azureml_scoring.inputs.cells import cell_values, is_number
from azureml_scoring.inputs.column_order import check_names
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.decoders import rows
from azureml_scoring.inputs.feature import ANY, TEXT
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import BOM
from azureml_scoring.inputs.options import NO_OPTIONS, Options
from azureml_scoring.inputs.separators import other_separator
from azureml_scoring.inputs.table import Table, types_of

LEAST_UNAMBIGUOUS_COLUMNS = 3
"""``0,1,2`` is the header that pandas writes for columns without names; ``0,1`` may be values."""

AMBIGUOUS = "The first line may be names or values; send JSON."


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError.

    The location of an error counts rows without the header, and columns as they were sent:
    ``/0/2`` is the third value of the first row.
    """
    limits.check_bytes(len(body))
    body = body.removeprefix(BOM)
    if body.count(b",") + body.count(b"\n") + body.count(b"\r") > limits.max_parts:
        raise TooManyElements(
            f"The body has more than {limits.max_parts:,} commas and lines; send its rows in "
            f"several requests.",
            "",
        )
    lines = _lines(body, len(contract.features) == 1)
    if not lines:
        raise EmptyBody("Request body is empty or None", "")
    header = read_header(lines[0], contract)
    return of_records(lines if header is None else lines[1:], header, contract, limits), NO_OPTIONS


def read_header(first: list[str], contract: Contract) -> list[str] | None:
    """Return the names in the first record, or None if it holds values. Raises ClientError."""
    _check_types_known(contract)
    header = _header(first, contract)
    if header is not None:  # before the rows are counted: it may have been meant as one
        _check_separator(header, contract)
        check_names({*header, *contract.optional}, contract, "")
    return header


def of_records(
    records: list[list[str]], header: list[str] | None, contract: Contract, limits: Limits
) -> Table:
    """Return the table of a CSV's records, without its header. Raises ClientError."""
    table = rows.with_columns(records, "", contract, limits, header, "")
    values = [
        cell_values(_texts(cells), feature)
        for cells, feature in zip(table.values, contract.features, strict=True)
    ]
    return Table(values, types_of(values), table.location)


def _texts(cells: Sequence[str | None]) -> Sequence[str]:
    """Return a column's cells, empty ones for an optional column that is not there."""
    return [cell or "" for cell in cells] if cells and cells[0] is None else cells  # type: ignore[return-value]


def _lines(body: bytes, one_column: bool) -> list[list[str]]:
    """Return the cells of each line. A blank line is none, unless a lone column has a gap there."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedCsv("The body is not in UTF-8.", "") from None
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        raise MalformedCsv(
            f"The body is not CSV: a quote in it is not closed or not doubled, or a value has more "
            f"than {csv.field_size_limit():,} characters.",
            "",
        ) from None
    if not one_column:
        return [line for line in lines if line]
    while lines and not lines[-1]:
        lines.pop()
    return [line or [""] for line in lines]


def _header(first: list[str], contract: Contract) -> list[str] | None:
    """Return the names in the first line, or None if it holds values. Raises UnknownForm."""
    numeric = any(first) and all(not cell or is_number(cell) for cell in first)
    if first == ["0"] and contract.features[0].dtype == TEXT:
        raise UnknownForm(AMBIGUOUS, "")  # pandas writes that above a Series without a name
    if not set(first).issuperset(contract.column_names):
        return None if numeric else first
    if numeric and len(first) == len(contract.features):
        written_by_pandas = first == list(map(str, range(len(first))))
        if not written_by_pandas or len(first) < LEAST_UNAMBIGUOUS_COLUMNS:
            raise UnknownForm(AMBIGUOUS, "")
    return first


def _check_separator(header: list[str], contract: Contract) -> None:
    """Raise WrongFeatures if something else than commas separates the names or values."""
    names = {*contract.column_names}
    if len(names) < 2 or (names & {*header} and names <= {*header, *contract.optional}):
        return
    if separator := other_separator(header):
        raise WrongFeatures(
            f"The body separates values by {separator}; send it with commas, and points in its "
            f"numbers.",
            "",
        )


def _check_types_known(contract: Contract) -> None:
    """Raise WrongFeatures if nothing tells what the cells of a column are."""
    for place, feature in enumerate(contract.features):
        if feature.dtype == ANY:
            name = place if feature.name is None else feature.name
            raise WrongFeatures(
                f"A CSV does not say whether column {name} holds numbers or texts, and neither "
                f"does the model; send JSON.",
                "",
            )
