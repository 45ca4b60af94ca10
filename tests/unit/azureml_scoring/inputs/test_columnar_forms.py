"""Parquet, Arrow and npy: the same batch as of JSON, the same limits, and places of errors."""

import datetime
import decimal
import importlib.util
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import columnar_forms
from azureml_scoring import errors
from azureml_scoring.inputs import arrow_table
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import CATEGORY, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import ARROW, PARQUET
from columnar_forms import refusal
from examples import at_most
from unit.azureml_scoring.inputs.test_any_form import MIXED, NUMBERS, ROW, VALUES, names, seen
from validated import NAMED, one
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


def test_a_text_that_stands_in_many_rows_is_kept_once():
    """A dictionary's values do not multiply."""
    sent = pa.table({"x": ["y" * 5_000_000] * 10})
    body, media_type = columnar_forms.as_parquet(sent)
    X = validate(body, one("str"), Limits(), media_type).X
    assert len({id(value) for value in X[:, 0]}) == 1


def test_a_frame_without_the_optional_columns_has_missing_values():
    """As in JSON."""
    optional = Feature("x", "str", missing=True, optional=True)
    contract = Contract((Feature("y", "str"), optional), ("predict",))
    for make in columnar_forms.FORMS.values():
        body, media_type = make(pa.table({"other": ["a", "b"], "y": ["c", "d"]}))
        X = validate(body, contract, Limits(), media_type).X
        assert X.tolist() == [["c", None], ["d", None]]


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


def test_without_pyarrow_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    """Whoever sends it can send CSV, and whoever runs the service can install the package."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for media_type in (PARQUET, ARROW):
        error = refusal(b"x", NAMED, media_type)
        assert error.code == "unsupported_content_type"
        assert "add pyarrow" in error.message


def test_an_older_pyarrow_reads_no_body(monkeypatch: pytest.MonkeyPatch):
    """A small file can end its process, as one with a deeply nested schema."""
    body, media_type = columnar_forms.as_parquet(pa.table({"a": [1.5], "b": [1.5]}))
    assert validate(body, NAMED, Limits(), media_type).X.tolist() == [[1.5, 1.5]]
    monkeypatch.setattr(pa, "__version__", "25.0.1")
    assert refusal(body, NAMED, media_type).code == "unsupported_content_type"
