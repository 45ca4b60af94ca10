"""Bodies of Parquet and Arrow that unpack to too much are refused before they are."""

import struct

import numpy as np
import pyarrow as pa
import pytest

import columnar_forms
from azureml_scoring.inputs import parquet_pages
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import ARROW, PARQUET
from columnar_forms import refusal
from validated import one
from validation import validate

LARGE = pa.table({"x": ["y" * 5_000_000] * 10})
ONE_VIEW = pa.array(["y" * 5_000_000], pa.string_view())


def views(nulls: int) -> pa.Array:
    """Return one text, in nine places behind nulls that say to be shorter than nothing."""
    view = bytes(ONE_VIEW.buffers()[1])[:16]
    null = struct.pack("<i12x", -(2**31))
    valid = np.packbits([0] * nulls + [1] * 9, bitorder="little").tobytes()
    start = [pa.py_buffer(valid), pa.py_buffer(null * nulls + view * 9)]
    return pa.Array.from_buffers(pa.string_view(), nulls + 9, [*start, *ONE_VIEW.buffers()[2:]])


POOLS = list[pa.MemoryPool]()
"""They must outlive what was allocated in them."""


def said_to_have_one_row(sent: pa.Table) -> tuple[bytes, str]:
    """Return a Parquet file of a million rows whose metadata says one, but for the column's."""
    body, media_type = columnar_forms.as_parquet(sent)
    count, one = b"\x16\x80\x89\x7a", b"\x16\x82\x80\0"  # field and type, then a varint
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    first, last = body.index(count, footer), body.rindex(count)
    assert body.index(count, first + 1) < last  # the column's own
    for place in (first, last):
        body = body[:place] + one + body[place + 4 :]
    return body, media_type


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (columnar_forms.as_parquet(LARGE, use_dictionary=False), "payload_too_large"),
        (columnar_forms.as_stream(LARGE, "zstd"), "payload_too_large"),
        (columnar_forms.as_parquet(pa.table({"x": pa.nulls(10**7)})), "too_many_elements"),
        (columnar_forms.as_stream(pa.table({"x": pa.nulls(10**9)})), "too_many_elements"),
        *(
            (
                columnar_forms.as_parquet(
                    pa.table({"x": ["y"]}), use_dictionary=False, column_encoding={"x": encoding}
                ),
                "wrong_shape",
            )
            for encoding in ("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY")
        ),
        (columnar_forms.as_stream(pa.table({"x": views(0)})), "payload_too_large"),
        (columnar_forms.as_stream(pa.table({"x": views(1)})), "payload_too_large"),
        (said_to_have_one_row(pa.table({"x": ["y"] * 10**6})), "malformed_parquet"),
        (said_to_have_one_row(pa.table({"x": pa.nulls(10**6)})), "malformed_parquet"),
    ],
)
def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    sent: tuple[bytes, str], code: str
):
    """A few kilobytes may say that they are gigabytes."""
    body, media_type = sent
    usual = pa.default_memory_pool()
    POOLS.append(pa.proxy_memory_pool(usual))
    pa.set_memory_pool(POOLS[-1])
    try:
        assert refusal(body, one("str", missing=True), media_type).code == code
    finally:
        pa.set_memory_pool(usual)
    assert POOLS[-1].max_memory() < 10_000_000


@pytest.mark.parametrize(
    ("packed", "count"),
    [
        (b"\0", 5),  # as many pages as there is room for, each with nothing
        (b"\x80\x80\x80\x80\x20", 1),  # 2**32, of which pyarrow reads the lower half
    ],
)
def test_pages_are_as_many_as_values_and_end_in_their_column(packed: bytes, count: int):
    """Else a file could keep us busy with pages of nothing, or hide pages behind others."""
    header = b"\x15\0\x15\0\x15" + packed + b"\0"
    column = header * count
    with pytest.raises(ValueError, match="page"):
        list(parquet_pages.pages(column, 0, len(column), 4))


def test_two_columns_of_one_path_are_refused():
    """The pages of one would be checked, and those of the other read."""
    sent = pa.table({"x.y": [1.0], "x": [{"y": 1.0}]})
    body, media_type = columnar_forms.as_parquet(sent)
    contract = Contract((Feature("x.y"),), ("predict",))
    assert refusal(body, contract, media_type).code == "wrong_features"
    body, media_type = columnar_forms.as_parquet(sent.select(["x.y"]))
    assert validate(body, contract, Limits(), media_type).X.tolist() == [[1.0]]


@pytest.mark.parametrize("dictionaries", [False, True])
def test_messages_of_nothing_are_refused_before_they_are_read(dictionaries: bool):
    """A stream may hold as many as a row and a column need, not tens of thousands."""
    column = pa.array([], pa.float64())
    if dictionaries:
        column = pa.DictionaryArray.from_arrays(pa.array([], pa.int8()), pa.array(["y"]))
    sink = pa.BufferOutputStream()
    schema = pa.schema({"x": column.type})
    with pa.ipc.new_stream(sink, schema) as writer:
        for _ in range(2_000):
            writer.write_batch(pa.record_batch([column], schema=schema))
    body = bytes(sink.getvalue().to_pybytes())
    contract = one("str", missing=True) if dictionaries else one("float64")
    error = refusal(body, contract, ARROW)
    assert (error.code, "messages" in error.message) == ("too_many_rows", True)


def test_a_deeply_nested_schema_is_refused():
    """It would overflow the stack."""
    depth = 20_000
    root, group = b"\x48\x01s\x15\x02\0", b"\x35\0\x18\x01g\x15\x02\0"
    schema = root + group * depth + b"\x15\x0a\x25\0\x18\x01x\0"
    elements = b"\xfc" + _varint(depth + 2) + schema
    footer = b"\x15\x02\x19" + elements + b"\x16\x02\x19\x0c\0"  # version, schema, rows, groups
    body = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
    assert refusal(body, one("float64"), PARQUET).code == "malformed_parquet"


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14])
