"""The fast reader gives the batch or the error that reading cell by cell gives."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import cell_by_cell
from azureml_scoring import errors
from azureml_scoring.inputs import row_plans
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validation import validate

DTYPES = (
    *("float64", "float32", "float16", "int64", "int32", "int8", "uint8", "uint64"),
    *("str", "bool", "category", "datetime", "any"),
)
CATEGORIES = (True, 1, 1.0, False, 0, -0.0, 2, 2.5, "1", "", "red", "blå", 2**53, 2.0**53)
EXTREME_NUMBERS = (
    *(0, 0.0, -0.0, 1, 1.0, -1, 0.5, 3.5, 127, 128, -128, -129, 255, 256, 1e300, 5e-324),
    *(2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2.0**53, 2**63 - 1, 2**63, 2.0**63, -(2**63)),
    *(-5e-324, 2**64 - 1, 65504, 65505, 65520, 3.4028234663852886e38, 3.402823466385289e38, 1e39),
)
MOMENTS = (
    *("2025-11-09", "2025-11-09T10:00", "2025-11-09 10:00:59", "2025-11-09T10:00:00.5"),
    *("1678-01-01", "2261-12-31T23:59:59.999999999", "2024-02-29", "2025-11-09 00:00:00.000000001"),
)
NO_MOMENTS = (
    *("2025-02-29", "2025-13-01", "2025-11-09T24:00", "2025-11-09T10:60", "1677-12-31", "now"),
    *("2262-01-01", "2025-11-09\n", "2025-11-09\n2025-11-10", "٢٠٢٥-11-09", "2025-11-09T10", "NaT"),
    *("2025-11-09T10:00:00Z", "2025-11-09T10:00:60", "2025-11-09T10:00:00.", "0000-00-00", "x", ""),
)
NUMBERS = st.sampled_from(EXTREME_NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.sampled_from(MOMENTS + NO_MOMENTS + ("1", "NaN", "true", "red")) | st.text(max_size=3)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
LITERALS = ("18446744073709551616", "-9223372036854775809", "123456789012345678901234567890", "-0")
"""Numbers in JSON that Python would not write: beyond 64 bits, and minus zero without a point."""


def features(name: str) -> st.SearchStrategy[Feature]:
    return st.sampled_from(DTYPES).flatmap(
        lambda dtype: st.builds(
            Feature,
            st.just(name),
            st.just(dtype),
            st.booleans(),
            known_values(dtype),
            st.booleans() if dtype == "category" else st.just(value=False),
        )
    )


def known_values(dtype: str) -> st.SearchStrategy[tuple[Any, ...]]:
    """Values of the fit: some of a category; of others none, or all that the column takes."""
    known: st.SearchStrategy[Any] | None = {
        "category": st.sampled_from(CATEGORIES),
        "str": st.text(max_size=1),
        "int8": st.integers(0, 3),
        "float32": st.sampled_from([0.0, 0.1, 1.5, 3]),
        "float64": st.sampled_from([0.0, 0.1, 1.5, 3]),
    }.get(dtype)
    if known is None:
        return st.just(())
    some = st.lists(known, min_size=1, max_size=6).map(tuple)
    return some if dtype == "category" else st.just(()) | some


def good_values(feature: Feature) -> st.SearchStrategy[Any]:
    """Values most of which the feature takes."""
    if feature.categories:
        known = st.sampled_from(feature.categories)
        return known | st.none() if feature.missing else known
    values: st.SearchStrategy[Any] = {
        "str": st.text(max_size=3),
        "bool": st.booleans(),
        "datetime": st.sampled_from(MOMENTS),
        "any": st.booleans() | NUMBERS | st.text(max_size=3),
        "float64": NUMBERS,
        "float32": NUMBERS.filter(lambda number: abs(number) < 1e38),
        "float16": st.floats(-65504, 65504) | st.integers(-65504, 65504),
    }.get(feature.dtype, st.integers(0, 127) | st.integers(0, 127).map(float) | st.just(-0.0))
    return values | st.none() if feature.missing else values


@st.composite
def requests(draw: st.DrawFn) -> tuple[Contract, dict[str, Any]]:
    """A contract, and the rows, the columns or None, and whether the only row is flat."""
    count = draw(st.integers(1, 4))
    kinds = draw(st.sampled_from([features, lambda name: features(name).filter(numeric)]))
    contract = Contract(tuple(draw(kinds(f"f{j}")) for j in range(count)), ("predict",))
    by_name = draw(st.booleans())
    sent = draw(st.permutations([*contract.features, Feature("extra", "any", missing=True)]))
    sent = sent if by_name else list(contract.features)
    row = st.tuples(*map(good_values, sent)).map(list)
    rows = draw(st.lists(row, min_size=1, max_size=4))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        spoiled = draw(st.sampled_from(rows))
        spoiled[draw(st.integers(0, len(sent) - 1))] = draw(SCALARS)
    if draw(st.integers(0, 9)) == 7:
        draw(st.sampled_from(rows)).append(draw(st.just([]) | st.just({}) | SCALARS))
    if draw(st.integers(0, 9)) == 7:
        draw(st.sampled_from(rows))[-1] = draw(st.just([1]) | st.just({"a": 1}))
    flat = not by_name and len(rows) == 1 and list not in map(type, rows[0]) and draw(st.booleans())
    return contract, {
        "rows": rows,
        "columns": [str(feature.name) for feature in sent] if by_name else None,
        "flat": flat,
    }


def numeric(feature: Feature) -> bool:
    return feature.numeric


def outcome(read: Callable[[], np.ndarray]) -> tuple[Any, ...]:
    """What a model and the cache's key can see of a matrix; or the error's class, its place and,
    if it is about a value, its message."""
    try:
        X = read()
    except errors.ClientError as error:
        about_shape = isinstance(error, (errors.WrongShape, errors.WrongFeatures))
        return type(error), error.location, None if about_shape else error.message
    values = [[(type(value), repr(value)) for value in row] for row in X.tolist()]
    return X.dtype, X.shape, values, X.flags.c_contiguous


def compare(body: bytes, contract: Contract, **table: Any) -> None:
    fast = outcome(lambda: validate(body, contract, Limits()).X)
    assert fast == outcome(lambda: cell_by_cell.read(contract=contract, **table))


@given(requests())
def test_a_table_is_read_as_cell_by_cell(request_: tuple[Contract, dict[str, Any]]):
    """Dtype, values and their types are the same, or the error's class, message and place."""
    contract, table = request_
    rows, columns = table["rows"], table["columns"]
    data = rows[0] if table["flat"] else rows
    named = {} if columns is None else {"columns": columns}
    rows[:] = orjson.loads(orjson.dumps(rows))
    compare(orjson.dumps({"data": data} | named), contract, **table)
    compare(
        orjson.dumps({"input_data": {"data": data} | named if named else data}),
        contract,
        **table,
        pointer="/input_data/data" if named else "/input_data",
    )


@given(st.sampled_from(DTYPES), st.booleans(), st.lists(st.sampled_from(LITERALS), min_size=1))
def test_numbers_that_python_does_not_write_are_read_as_cell_by_cell(
    dtype: str, missing: bool, literals: list[str]
):
    """Among them are integers beyond 64 bits."""
    categories = (0, 2**64) if dtype == "category" else ()
    contract = Contract((Feature("x", dtype, missing, categories),), ("predict",))
    body = '{"data": [' + ", ".join(f"[{literal}]" for literal in literals) + "]}"
    compare(body.encode(), contract, rows=orjson.loads(body)["data"])


@pytest.mark.parametrize("rows", [1, 99])
@pytest.mark.parametrize("beside", [Feature("y"), Feature("y", "str"), None])
@pytest.mark.parametrize("missing", [False, True])
def test_an_identifier_is_exact_or_refused(rows: int, beside: Feature | None, missing: bool):
    """As a float it would be another identifier: beside floats, or nulls, those from 2**53 on are
    refused."""
    features = [Feature("id", "int64", missing), *([beside] if beside else [])]
    contract = Contract(tuple(features), ("predict",))
    other = {"y": "a" if beside and beside.dtype == "str" else 1.5} if beside else {}
    for number in (2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1):
        records = [{"id": number} | other] * rows
        for body in (records, [list(record.values()) for record in records]):
            if number < 2**53 or not (missing or contract.dtype == np.float64):
                X = validate(orjson.dumps(body), contract, Limits()).X
                assert {int(value) for value in X[:, 0]} == {number}
            else:
                with pytest.raises(errors.OutOfRange, match="fits int64 and, exactly, float64"):
                    validate(orjson.dumps(body), contract, Limits())


@given(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=6), st.sampled_from(CATEGORIES))
@example([True, 1], 1.0)
def test_of_equal_categories_the_first_is_meant(categories: list[Any], value: Any):
    """1, 1.0 and true are equal: the model sees what came first in its fit."""
    contract = Contract((Feature("x", "category", categories=tuple(categories)),), ("predict",))
    compare(orjson.dumps([[value]]), contract, rows=[[value]], pointer="")


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_odd_value_is_read_as_cell_by_cell(dtype: str, missing: bool):
    """Alone, and in a column of values that the model takes."""
    categories = CATEGORIES[:2] if dtype == "category" else ()
    contract = Contract((Feature("x", dtype, missing, categories),), ("predict",))
    good = {"str": "a", "bool": True, "datetime": "2025-11-09"}.get(dtype, 1)
    for value in (*EXTREME_NUMBERS, *MOMENTS, *NO_MOMENTS, True, None, "1"):
        for rows in ([[value]], [[good], [value]], [[value], [good], [None]], [[value], [2.0]]):
            compare(orjson.dumps(rows), contract, rows=rows, pointer="")


MIXED = (
    Feature("a", "float64", missing=True),
    Feature("b", "float32"),
    Feature("c", "int64"),
    Feature("d", "str", missing=True),
    Feature("e", "category", categories=("red", "blue", 1)),
    Feature("f", "bool"),
    Feature("g", "datetime", missing=True),
    Feature("h", "any"),
)
ROWS_OF_MIXED = [
    [1.5, 2, 3.0, "x", "red", True, "2025-11-09", -0.0],
    [None, -0.0, 4, None, 1.0, False, None, "y"],
]


@pytest.mark.parametrize("features", [MIXED, MIXED[:3]], ids=["mixed", "numbers"])
def test_more_rows_take_no_more_calls(features: tuple[Feature, ...]):
    """Python calls no function for each value, which would cost more than most predictions."""
    contract = Contract(features, ("predict",))
    rows = [row[: len(features)] for row in ROWS_OF_MIXED]

    def calls(rows: list[list[Any]]) -> int:
        body, names = orjson.dumps(rows).ljust(row_plans.SMALL_BODY_BYTES + 1), []
        validate(body, contract, Limits())  # prepares the columns
        sys.setprofile(lambda frame, event, _: event == "call" and names.append(frame.f_code))
        try:
            validate(body, contract, Limits())
        finally:
            sys.setprofile(None)
        return len(names)

    assert calls(rows * 50) <= calls(rows) + 5
