"""Writes what comes of one input: predictions, bad rows and a summary, each under a temporary name
until all are whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from azureml_scoring.errors import ModelFailed
from azureml_scoring.outputs.columns import columns_of

Form = Literal["csv", "parquet"]

BAD_ROWS = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column", pa.string()),
        ("code", pa.string()),
        ("reason", pa.string()),
    ]
)

TEMPORARY = ".part"
"""End of the names of files that are not whole."""


class Outputs:
    """The files of the input ``name``, in the folder ``root``. Use it as a context manager: what
    was not kept by ``keep`` is removed.

    ``example``: answers of the model, which tell the columns and their types.
    """

    def __init__(self, root: Path, name: str, form: Form, example: list[Any]) -> None:
        self.name = name
        self._root = root
        self._form = form
        self._columns = _schema(example)
        place = {"file": pa.string(), "row": pa.int64()}
        schema = pa.schema(
            [*place.items(), *zip(self._columns.names, self._columns.types, strict=True)]
        )
        self._predictions = _File(predictions_path(root, name, form), form, schema)
        self._bad = _File(errors_path(root, name), "csv", BAD_ROWS)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._predictions.discard()
        self._bad.discard()

    def write(self, rows: np.ndarray, answers: list[Any]) -> None:
        """Add the answers to these rows. Raises ModelFailed."""
        columns = columns_of(answers) if answers else {}
        empty: list[None] = [None] * len(answers)
        try:
            arrays = [
                pa.array(columns.get(name, empty), self._columns.field(name).type)
                for name in self._columns.names
            ]
        except pa.ArrowException as error:
            raise ModelFailed(
                "The model's answers are of another type than those to its golden rows."
            ) from error
        self._predictions.write([pa.repeat(self.name, len(answers)), pa.array(rows), *arrays])

    def write_bad(self, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """Add bad rows: number, column, code and reason of each."""
        if rows := list(rows):
            columns = [pa.array(column) for column in zip(*rows, strict=True)]
            self._bad.write([pa.repeat(self.name, len(rows)), *columns])

    def keep(self, summary: dict[str, Any], *, predictions: bool) -> None:
        """Replace the files of an earlier try. Without ``predictions`` there are none, as the input
        has failed."""
        path = summary_path(self._root, self.name)
        path.unlink(missing_ok=True)  # it says that the others are whole
        self._bad.keep()
        if not predictions:
            self._predictions.discard()
        self._predictions.keep(even_empty=predictions)
        for form in get_args(Form):
            if form != self._form:
                predictions_path(self._root, self.name, form).unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = _temporary(path)
        new.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
        os.replace(new, path)


class _File:
    """A table that is written part by part. It is there once it has been kept."""

    def __init__(self, path: Path, form: Form, schema: Any) -> None:
        self._path = path
        self._new = _temporary(path)
        self._form = form
        self._schema = schema
        self._writer: Any = None

    def write(self, columns: Sequence[Any]) -> None:
        self._open().write(pa.table(columns, schema=self._schema))

    def keep(self, *, even_empty: bool = False) -> None:
        """Put the new file in the place of the old one, or remove that if nothing was written."""
        if even_empty:
            self._open()
        if self._writer is None:
            self._path.unlink(missing_ok=True)
            return
        self._writer.close()
        self._writer = None
        os.replace(self._new, self._path)

    def discard(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer = None
            self._new.unlink(missing_ok=True)

    def _open(self) -> Any:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            kind = pyarrow.csv.CSVWriter if self._form == "csv" else pq.ParquetWriter
            self._writer = kind(str(self._new), self._schema)
        return self._writer


def predictions_path(root: Path, name: str, form: Form) -> Path:
    return root / f"{name}.predictions.{form}"


def errors_path(root: Path, name: str) -> Path:
    return root / f"{name}.errors.csv"


def summary_path(root: Path, name: str) -> Path:
    return root / "summaries" / f"{name}.json"


def _temporary(path: Path) -> Path:
    """Return a name that no other process writes to: the service may start a second try while the
    first one still runs."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def _schema(example: list[Any]) -> Any:
    schema = pa.table(columns_of(example)).schema
    for place, kind in enumerate(schema.types):
        if pa.types.is_null(kind):
            schema = schema.set(place, pa.field(schema.names[place], pa.float64()))
    return schema
