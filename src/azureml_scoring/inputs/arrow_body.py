"""Parses a stream or a file of Arrow IPC into a table.

https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

from __future__ import annotations

from azureml_scoring.errors import MalformedArrow, TooManyRows
from azureml_scoring.inputs.arrow_bounds import Sizes, sizes_of
from azureml_scoring.inputs.arrow_table import (
    check_type,
    read_by_pyarrow,
    table_of,
    wanted_columns,
)
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.options import NO_OPTIONS, Options
from azureml_scoring.inputs.table import Table, check_size

FILE_MAGIC = b"ARROW1\0\0"
"""Begins a file; behind it stands a stream."""


def parse(body: bytes, contract: Contract, limits: Limits) -> tuple[Table, Options]:
    """Parse and check a body. Raises ClientError, whose location is ``/row/column``."""
    limits.check_body(body)
    with read_by_pyarrow(MalformedArrow("The body is no valid Arrow IPC stream or file.", "")):
        return _table(body, contract, limits), NO_OPTIONS


def _table(body: bytes, contract: Contract, limits: Limits) -> Table:
    import pyarrow as pa

    buffer = pa.py_buffer(body.removeprefix(FILE_MAGIC))
    total = Sizes(0, 0)
    # one for each row, and for each column's dictionary, and the schema
    most_messages = limits.max_rows + limits.max_features + 1
    for count, message in enumerate(pa.ipc.MessageReader.open_stream(buffer)):
        if count == most_messages:
            raise TooManyRows(
                f"The body has more than {most_messages:,} messages of Arrow; write its rows as "
                f"one batch.",
                "",
            )
        sizes = sizes_of(message)
        total = Sizes(total.rows + sizes.rows, total.unpacked_bytes + sizes.unpacked_bytes)
        limits.check_bytes(total.unpacked_bytes)
    schema = pa.ipc.read_schema(buffer)
    width = len(schema.names)
    check_size(total.rows * width, total.rows, width, "", limits)
    order = wanted_columns(schema.names, contract)
    for place, feature in zip(order, contract.features, strict=True):
        if place >= 0:
            check_type(schema.field(place).type, feature, place)
    sent = sorted({place for place in order if place >= 0})
    options = pa.ipc.IpcReadOptions(included_fields=sent, use_threads=False)
    reader = pa.ipc.open_stream(buffer, options=options)
    table = pa.Table.from_batches([batch for batch in reader if batch.num_rows], reader.schema)
    table = table.select(range(len(sent)))  # for none to be included means all
    table.validate(full=True)
    return table_of(table.rename_columns(list(map(str, sent))), order, contract, limits)
