"""Parses a Parquet file into a table: the model's columns, by name.

https://github.com/apache/parquet-format
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azureml_scoring.errors import MalformedParquet, WrongFeatures, WrongShape
from azureml_scoring.inputs.arrow_table import (
    check_type,
    read_by_pyarrow,
    table_of,
    wanted_columns,
)
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.options import NO_OPTIONS, Options
from azureml_scoring.inputs.parquet_pages import (
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH_BYTE_ARRAY,
    Page,
    column_pages,
)
from azureml_scoring.inputs.table import Table, check_size


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError, whose location is ``/row/column``."""
    limits.check_body(body)
    with read_by_pyarrow(MalformedParquet("The body is no valid Parquet file.", "")):
        return _table(body, contract, limits), NO_OPTIONS


def _table(body: bytes, contract: Contract, limits: Limits) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def opened(**options: Any) -> Any:
        return pq.ParquetFile(
            pa.BufferReader(body),
            thrift_string_size_limit=limits.max_bytes,
            thrift_container_size_limit=limits.max_parts,
            **options,
        )

    file = opened()
    metadata = file.metadata
    width = metadata.num_columns
    check_size(metadata.num_rows * width, metadata.num_rows, width, "", limits)
    # looked up once: pyarrow makes each of them anew, names as well
    schema, parquet_schema = file.schema_arrow, file.schema
    all_names = schema.names
    order = wanted_columns(all_names, contract)
    columns = [parquet_schema.column(leaf) for leaf in range(width)]
    leaves = {column.path: leaf for leaf, column in enumerate(columns)}
    if len(leaves) < width:  # a column "a.b", and a struct "a" with "b"
        raise WrongFeatures("Two columns are called by the same path; rename one of them.", "")
    for place, feature in zip(order, contract.features, strict=True):
        if place >= 0:
            check_type(schema.field(place).type, feature, place)
    sent = sorted({place for place in order if place >= 0})
    names = [all_names[place] for place in sent]
    if any(name not in leaves or columns[leaves[name]].max_repetition_level for name in names):
        raise WrongShape("A value must be a number, text, boolean or null; no list.", "")
    pages = column_pages(body, {leaves[name] for name in names}, width, metadata.num_rows)
    _check_pages(pages, limits)
    texts = [name for name in names if columns[leaves[name]].physical_type == "BYTE_ARRAY"]
    file = opened(read_dictionary=texts)  # a text that stands in many rows is kept once
    table = file.read(columns=names, use_threads=False, use_pandas_metadata=False).select(names)
    table.validate(full=True)
    return table_of(table.rename_columns(list(map(str, sent))), order, contract, limits)


def _check_pages(pages: Iterable[Page], limits: Limits) -> None:
    """Raise ClientError if the pages unpack to too much."""
    unpacked = 0
    for page in pages:
        unpacked += page.unpacked_bytes
        limits.check_bytes(unpacked)
        if not page.encodings.isdisjoint((DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY)):
            raise WrongShape(
                "Texts in the encodings DELTA_BYTE_ARRAY and DELTA_LENGTH_BYTE_ARRAY may unpack to "
                "any size; write them in another, such as a dictionary.",
                "",
            )
