"""Reads a file as chunks of rows, so that it may be larger than the memory.

To add a form, write its reader and put it into ``READERS``.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from azureml_scoring.batch import csv_records, numbers
from azureml_scoring.batch.rows import ArrowRows, CsvRows, JsonRows, Rows, Rules
from azureml_scoring.errors import (
    MalformedArrow,
    MalformedCsv,
    MalformedParquet,
    UnsupportedContentType,
)
from azureml_scoring.inputs.arrow_body import FILE_MAGIC
from azureml_scoring.inputs.arrow_table import check_type, wanted_columns
from azureml_scoring.inputs.column_order import order_by_place
from azureml_scoring.inputs.csv_body import read_header
from azureml_scoring.inputs.media_types import BOM

CHUNK_BYTES = 1_000_000
CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class ChunkSize:
    """How much of a file is read at a time: bytes of text, or rows of a table."""

    bytes: int = CHUNK_BYTES
    rows: int = CHUNK_ROWS


@dataclass
class Chunk:
    """Some rows. ``share``: how much of the file has been read after them; ``numbers``: reads them
    all at once, or returns None; ``read``: returns them one by one."""

    share: float
    read: Callable[[], Rows]
    numbers: Callable[[], np.ndarray | None] = lambda: None

    @cached_property
    def rows(self) -> Rows:
        return self.read()


Reader = Callable[[Path, Rules, ChunkSize], Iterator[Chunk]]


def chunks(path: Path, rules: Rules, size: ChunkSize) -> Iterator[Chunk]:
    """Yield the chunks of a file. Raises ClientError if the file as a whole is bad, and OSError."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UnsupportedContentType(
            f"A file that ends in {path.suffix or 'nothing'} can't be read; name it by what it is: "
            f"{', '.join(READERS)}."
        )
    return reader(path, rules, size)


def _csv(path: Path, rules: Rules, size: ChunkSize) -> Iterator[Chunk]:
    contract = rules.contract
    one_column = len(contract.features) == 1
    header: list[str] | None = None
    order: list[int] | range | None = None
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        total = max(os.fstat(file.fileno()).st_size, 1)
        for block in csv_records.blocks(file, size.bytes, one_column=one_column):
            if order is None:
                try:
                    first, rest = csv_records.first_record(block)
                except csv.Error:
                    raise MalformedCsv("The first line is not CSV; write it anew.", "") from None
                if not first:
                    continue
                header = read_header(first, contract)
                if header is None:
                    order = order_by_place(len(first), contract, "", flat=False)
                else:
                    order = wanted_columns(header, contract)
                    if rest:
                        yield _csv_chunk(rest, file.tell() / total, header, order, rules)
                    continue
            yield _csv_chunk(block, file.tell() / total, header, order, rules)


def _csv_chunk(
    block: bytes, share: float, header: list[str] | None, order: Any, rules: Rules
) -> Chunk:
    contract = rules.contract
    width = len(order if header is None else header)
    return Chunk(
        share,
        lambda: CsvRows(
            csv_records.records(block, one_column=len(contract.features) == 1), header, rules
        ),
        lambda: numbers.of_csv(block, width, order, contract),
    )


def _json_lines(path: Path, rules: Rules, size: ChunkSize) -> Iterator[Chunk]:
    with path.open("rb") as file:
        if file.read(len(BOM)) != BOM:
            file.seek(0)
        total = max(os.fstat(file.fileno()).st_size, 1)
        while lines := file.readlines(size.bytes):
            rows = JsonRows([line.strip() for line in lines if not line.isspace()], rules)
            yield Chunk(file.tell() / total, lambda rows=rows: rows)  # type: ignore[misc]


def _parquet(path: Path, rules: Rules, size: ChunkSize) -> Iterator[Chunk]:
    malformed = MalformedParquet("The file is no valid Parquet file.", "")
    try:
        with pq.ParquetFile(path) as file:
            names, done = file.schema_arrow.names, 0
            order, used = _columns(file.schema_arrow, rules)
            batches = file.iter_batches(
                size.rows, columns=[names[place] for place in used], use_threads=False
            )
            for batch in batches:
                done += batch.num_rows
                table = pa.Table.from_batches([batch]).select([names[place] for place in used])
                yield _arrow_chunk(table, used, order, names, done / file.metadata.num_rows, rules)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise malformed from error


def _arrow(path: Path, rules: Rules, size: ChunkSize) -> Iterator[Chunk]:
    malformed = MalformedArrow("The file is no valid Arrow IPC stream or file.", "")
    try:
        with pa.memory_map(str(path)) as file:
            if file.read(len(FILE_MAGIC)) != FILE_MAGIC:
                file.seek(0)
            reader = pa.ipc.open_stream(file)
            names, order, used = reader.schema.names, *_columns(reader.schema, rules)
            for batch in reader:
                batch.validate(full=True)
                table = pa.Table.from_batches([batch]).select(used)
                for start in range(0, batch.num_rows, size.rows):
                    part = table.slice(start, size.rows)
                    yield _arrow_chunk(part, used, order, names, file.tell() / file.size(), rules)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise malformed from error


def _columns(schema: Any, rules: Rules) -> tuple[list[int], list[int]]:
    """Return for each feature the place of its column, and the places in their order. Raises
    ClientError."""
    order = wanted_columns(schema.names, rules.contract)
    for place, feature in zip(order, rules.contract.features, strict=True):
        if place >= 0:
            check_type(schema.field(place).type, feature, place)
    return order, sorted({place for place in order if place >= 0})


def _arrow_chunk(
    table: Any, used: list[int], order: list[int], names: list[str], share: float, rules: Rules
) -> Chunk:
    data = table.rename_columns(list(map(str, used)))
    return Chunk(
        share,
        lambda: ArrowRows(data, order, names, rules),
        lambda: numbers.of_table(data, order, rules.contract),
    )


READERS: dict[str, Reader] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
}
"""By the end of a file's name."""
