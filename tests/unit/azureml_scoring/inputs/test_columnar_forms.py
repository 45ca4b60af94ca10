"""Parquet, Arrow and npy: the same batch as of JSON, the same limits, and places of errors."""

import datetime
import decimal
import importlib.util
import struct
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import columnar_forms
from azureml_scoring import errors
from azureml_scoring.inputs import arrow_table, parquet_pages
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import CATEGORY, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import ARROW, NPY, PARQUET
from examples import at_most
from unit.azureml_scoring.inputs.test_any_form import MIXED, NUMBERS, ROW, VALUES, names, seen
from validated import NAMED, UNNAMED, one
from validation import validate

FORMS = st.sampled_from(list(columnar_forms.FORMS))
TYPED = Contract(
    (*MIXED.features[:4], Feature("data", CATEGORY, missing=True, categories=("red", "blue"))),
    ("predict",),
)
VALUES_OF = {
    TYPED: (*VALUES[MIXED][:4], st.sampled_from([None, "red", "blue"])),
    NUMBERS: VALUES[NUMBERS],
}


@st.composite
def frames(draw: st.DrawFn) -> tuple[Contract, list[list[Any]], pa.Table]:
    contract = draw(st.sampled_from(list(VALUES_OF)))
    row = st.tuples(*VALUES_OF[contract]).map(list)
    rows = draw(st.lists(row, min_size=1, max_size=4))
    try:
        sent = columnar_forms.table(names(contract), rows)
    except pa.ArrowInvalid:  # a whole number that no float holds, among fractions
        assume(False)
    return contract, rows, sent


@settings(max_examples=at_most(60))
@given(form=FORMS, frame=frames(), data=st.data())
def test_a_columnar_form_of_the_same_rows_is_the_same_request(
    form: str, frame: tuple[Contract, list[list[Any]], pa.Table], data: st.DataObject
):
    """Values, types and the cache's key are equal, whatever the order of the columns and whatever
    other column is there."""
    contract, rows, sent = frame
    expected = validate(orjson.dumps({"data": rows}), contract, Limits())
    order = data.draw(st.permutations(sent.column_names))
    sent = sent.select(order).append_column("other", pa.array([{"x": [1]}] * len(rows)))
    if "dictionaries" in form:
        sent = sent.drop_columns(["other"])
    body, media_type = columnar_forms.FORMS[form](sent)
    batch = validate(body, contract, Limits(), media_type)
    assert seen(batch, contract) == seen(expected, contract)


@given(
    rows=st.lists(st.tuples(*VALUES[NUMBERS]).map(list), min_size=1, max_size=4),
    order=st.sampled_from("CF"),
)
def test_an_array_of_the_same_numbers_is_the_same_request(rows: list[list[Any]], order: Any):
    """Rows in the order of the fit; NaN is null."""
    body, media_type = columnar_forms.as_npy(np.array(rows, np.float64, order=order))
    expected = validate(orjson.dumps(rows), NUMBERS, Limits())
    assert seen(validate(body, NUMBERS, Limits(), media_type), NUMBERS) == seen(expected, NUMBERS)


BODIES = [
    *(
        make(columnar_forms.table(names(MIXED), [ROW] * 2))
        for make in columnar_forms.FORMS.values()
    ),
    columnar_forms.as_npy(np.ones((2, 7))),
]


@settings(max_examples=8 * settings().max_examples)
@given(
    sent=st.sampled_from(BODIES),
    place=st.floats(0, 1),
    inserted=st.binary(max_size=8),
    cut=st.integers(0, 9),
)
def test_a_damaged_columnar_body_gives_a_batch_or_a_client_error(
    sent: tuple[bytes, str], place: float, inserted: bytes, cut: int
):
    """Any bytes may stand anywhere in it, and some may be missing."""
    body, media_type = sent
    at = int(place * len(body))
    try:
        batch = validate(body[:at] + inserted + body[at + cut :], MIXED, Limits(), media_type)
    except errors.ClientError:
        return
    assert batch.X.shape == (len(batch.X), 7)


@pytest.mark.parametrize("form", columnar_forms.FORMS)
@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(max_bytes=100), "payload_too_large"),
        (Limits(max_elements=20), "too_many_elements"),
        (Limits(max_rows=2), "too_many_rows"),
        (Limits(max_features=6), "too_many_features"),
    ],
)
def test_a_columnar_form_has_the_same_limits(form: str, limits: Limits, error: str):
    """Bytes, values, rows and columns are bounded."""
    body, media_type = columnar_forms.FORMS[form](columnar_forms.table(names(MIXED), [ROW] * 3))
    validate(body, MIXED, Limits(), media_type)
    assert refusal(body, MIXED, media_type, limits).code == error


def refusal(
    body: bytes, contract: Contract, media_type: str, limits: Limits | None = None
) -> errors.ClientError:
    with pytest.raises(errors.ClientError) as caught:
        validate(body, contract, limits or Limits(), media_type)
    return caught.value


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


def test_a_text_that_stands_in_many_rows_is_kept_once():
    """A dictionary's values do not multiply."""
    sent = pa.table({"x": ["y" * 5_000_000] * 10})
    body, media_type = columnar_forms.as_parquet(sent)
    X = validate(body, one("str"), Limits(), media_type).X
    assert len({id(value) for value in X[:, 0]}) == 1


def test_a_frame_without_the_optional_columns_has_missing_values():
    """Even if it has none of the model's columns, as in JSON."""
    contract = one("str", missing=True, optional=True)
    for make in columnar_forms.FORMS.values():
        body, media_type = make(pa.table({"other": ["a", "b"]}))
        assert validate(body, contract, Limits(), media_type).X.tolist() == [[None], [None]]


def test_empty_batches_cost_next_to_nothing(monkeypatch: pytest.MonkeyPatch):
    """A stream may have any number of them, each with all columns."""
    read = list[int]()
    chunk = arrow_table._chunk
    monkeypatch.setattr(
        arrow_table, "_chunk", lambda array, *more: read.append(len(array)) or chunk(array, *more)
    )
    sink, schema = pa.BufferOutputStream(), pa.schema({"x": pa.float64()})
    with pa.ipc.new_stream(sink, schema) as writer:
        for values in ([1.5], *[[]] * 1000, [2.5]):
            writer.write_batch(pa.record_batch({"x": values}, schema))
    body = sink.getvalue().to_pybytes()
    assert validate(body, one("float64"), Limits(), ARROW).X.tolist() == [[1.5], [2.5]]
    assert read == [1, 1]


def test_a_null_may_stand_among_the_values_of_a_dictionary():
    """Or among the places in it."""
    places = pa.array([1, 0, None, 1], pa.int8())
    column = pa.DictionaryArray.from_arrays(places, pa.array([None, "a"]))
    body, media_type = columnar_forms.as_stream(pa.table({"x": column}))
    X = validate(body, one("str", missing=True), Limits(), media_type).X
    assert X[:, 0].tolist() == ["a", None, None, "a"]


@pytest.mark.parametrize(
    ("column", "feature", "values"),
    [
        (pa.array([1, None], pa.int8()), Feature("x", "int64", missing=True), [1, None]),
        (pa.array([1.5, np.nan]), Feature("x", missing=True), [1.5, None]),
        (pa.array([0.1], pa.float32()), Feature("x", "float32"), [float(np.float32(0.1))]),
        (pa.array([2**53 + 1, 2**64 - 1], pa.uint64()), Feature("x", "uint64"),
         [2**53 + 1, 2**64 - 1]),
        (pa.array([2**63 - 1, None], pa.int64()), Feature("x", "any", missing=True),
         [2**63 - 1, None]),
        (pa.array(np.array([0.5, np.nan], np.float16)), Feature("x", missing=True), [0.5, None]),
        (pa.array([decimal.Decimal("1.10"), None]), Feature("x", missing=True), [1.1, None]),
        (pa.array([decimal.Decimal(2**60 + 1)]), Feature("x", "int64"), [2**60 + 1]),
        (pa.array(["a", "b"], pa.large_string()), Feature("x", "str"), ["a", "b"]),
        (pa.array(["a", "b"], pa.string_view()), Feature("x", "str"), ["a", "b"]),
        (pa.array([True, None]), Feature("x", "bool", missing=True), [True, None]),
        (pa.array([3, 5]).dictionary_encode(), Feature("x", CATEGORY, categories=(3, 5)), [3, 5]),
        (pa.array([None, None]), Feature("x", missing=True), [None, None]),
        (pa.array([datetime.date(2025, 11, 9), None]), Feature("x", "datetime", missing=True),
         ["2025-11-09T00:00:00.000000000", None]),
        (pa.array([datetime.datetime(2025, 11, 9, 10)], pa.timestamp("us")),
         Feature("x", "datetime"), ["2025-11-09T10:00:00.000000000"]),
    ],
)  # fmt: skip
def test_arrows_types_are_taken_where_they_mean_the_same(
    column: pa.Array, feature: Feature, values: list[Any]
):
    """Decimals are the numbers that their digits are in JSON."""
    for make in (columnar_forms.as_stream, columnar_forms.as_parquet):
        body, media_type = make(pa.table({"x": column}))
        got = validate(body, Contract((feature,), ("predict",)), Limits(), media_type).X[:, 0]
        assert [None if value != value else value for value in got.tolist()] == values


@pytest.mark.parametrize(
    ("column", "dtype", "code", "location"),
    [
        (pa.array([1.0, np.inf]), "float64", "wrong_type", "/1/1"),
        (pa.array([1.0, None]), "float64", "missing_value", "/1/1"),
        (pa.array(["1", "2"]), "float64", "wrong_type", "/0/1"),
        (pa.array([True, False]), "float64", "wrong_type", "/0/1"),
        (pa.array([1, 300]), "uint8", "out_of_range", "/1/1"),
        (pa.array([1, 2]), "str", "wrong_type", "/0/1"),
        (pa.array([[1], [2]]), "float64", "wrong_type", "/0/1"),
        (pa.array([b"1", b"2"]), "str", "wrong_type", "/0/1"),
        (pa.array([datetime.date(2025, 1, 1)] * 2), "str", "wrong_type", "/0/1"),
        (
            pa.array([datetime.datetime(2025, 1, 1)] * 2, pa.timestamp("us", "UTC")),
            "datetime",
            "wrong_type",
            "/0/1",
        ),
    ],
)
def test_a_value_that_the_column_does_not_take_is_named_with_its_place(
    column: pa.Array, dtype: str, code: str, location: str
):
    """Row and column, as in a CSV."""
    for make in (columnar_forms.as_stream, columnar_forms.as_parquet):
        body, media_type = make(pa.table({"other": ["x", "y"], "x": column}))
        error = refusal(body, one(dtype), media_type)
        assert (error.code, error.location) == (code, location)


def npy(header: str, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values


@pytest.mark.parametrize(
    ("body", "code", "location"),
    [
        (b"", "empty_body", ""),
        (b"\x93NUMPY", "malformed_npy", ""),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}"), "malformed_npy", ""),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**9, 2)}"), "malformed_npy", ""),
        (
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 2)}"),
            "too_many_elements",
            "",
        ),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 2)}"), "wrong_type", ""),
        (npy("{'descr': '<U9', 'fortran_order': False, 'shape': (1, 2)}"), "wrong_type", ""),
        (npy("(" * 900), "malformed_npy", ""),
        (npy(" " * 2000), "malformed_npy", ""),
        (columnar_forms.as_npy(np.ones((1, 3)))[0], "wrong_features", ""),
        (columnar_forms.as_npy(np.ones((1, 2, 2)))[0], "wrong_shape", ""),
        (columnar_forms.as_npy(np.ones((0, 2)))[0], "empty_batch", ""),
        (columnar_forms.as_npy(np.array([[1, np.inf]]))[0], "wrong_type", "/0/1"),
        (columnar_forms.as_npy(np.array([[1, 2], [np.nan, 2]]))[0], "missing_value", "/1/0"),
        (columnar_forms.as_npy(np.array([[True, False]]))[0], "wrong_type", "/0/0"),
    ],
)
def test_what_is_wrong_with_an_array_is_named_with_its_place(body: bytes, code: str, location: str):
    """No header makes us read objects, or more than is there."""
    error = refusal(body, NAMED, NPY)
    assert (error.code, error.location) == (code, location)


@pytest.mark.parametrize(
    ("order", "dtype"), [("<", "int64"), (">", "int64"), ("<", "uint64"), (">", "uint64")]
)
def test_whole_numbers_of_an_array_lose_no_digits(order: Any, dtype: str):
    """In either order of the bytes, beyond what a float holds."""
    contract = Contract((Feature(None, dtype),), ("predict",))
    numbers = [[2**53 + 1], [2**63 - 1]]
    array = np.array(numbers, np.dtype(dtype).newbyteorder(order))
    body, media_type = columnar_forms.as_npy(array)
    assert validate(body, contract, Limits(), media_type).X.tolist() == numbers


def test_an_array_of_one_dimension_is_one_row():
    """As a flat list is in JSON."""
    body, media_type = columnar_forms.as_npy(np.array([1, 2], ">i4"))
    assert validate(body, UNNAMED, Limits(), media_type).X.tolist() == [[1.0, 2.0]]


def test_without_pyarrow_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    """Whoever sends it can send CSV, and whoever runs the service can install the package."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for media_type in (PARQUET, ARROW):
        error = refusal(b"x", NAMED, media_type)
        assert error.code == "unsupported_content_type"
        assert "add pyarrow" in error.message
