"""Records that a class of their columns parses give what the reader of all forms gives."""

import dataclasses
from typing import Any

import orjson
import pytest
import test_any_form
from hypothesis import given
from hypothesis import strategies as st
from test_any_form import MIXED, NUMBERS, names
from test_reading import LITERALS, outcome, requests

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.typed_records import MAX_COLUMNS, MIN_BODY_BYTES
from validation import validate

LIMITS = Limits()
CONTRACT = Contract((Feature("x"), Feature("y", "str")), ("predict",))
ODD_LITERALS = (
    *LITERALS,
    *("-0.0", "-1e-400", "1e400", "1E2", "1.0", "3.5", "9007199254740993", "9007199254740993.0"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615", "01", "1.", "NaN"),
    *('"\\ud83d\\ude00"', '"\\ud800"', '"\xe9"', '"a\tb"', '"\x7f"', '"\\/"', '"a:b"', "nul"),
)


class ReadsNothing:
    def read(self, body: bytes, limits: Limits) -> None:
        """Leave each body to the reader of all forms."""


def check(body: bytes, contract: Contract) -> bool:
    """Compare with the reader of all forms; tell whether the class read the body."""
    body = body.ljust(MIN_BODY_BYTES)
    if contract.typed_records.read(body, LIMITS) is None:
        return False
    plain = dataclasses.replace(contract)
    vars(plain).update(row_plans=ReadsNothing(), typed_records=ReadsNothing())
    read = outcome(lambda: contract.typed_records.read(body, LIMITS))  # type: ignore[arg-type, return-value]
    assert read == outcome(lambda: validate(body, plain, LIMITS).X)
    return True


@given(requests(), st.data())
def test_what_the_class_reads_is_what_the_reader_of_all_forms_gives(
    request_: tuple[Contract, dict[str, Any]], data: st.DataObject
):
    """Dtype, values and their types are the same; what is an error there is not read."""
    contract, table = request_
    columns = table["columns"] or names(contract)
    order = data.draw(st.permutations(names(contract)))
    by_name = [dict(zip(columns, row, strict=False)) for row in table["rows"]]
    records = [{name: row[name] for name in order if name in row} for row in by_name]
    check(orjson.dumps({"inputs": records}), contract)


@given(frame=test_any_form.frames(), literal=st.sampled_from(ODD_LITERALS), place=st.integers(0, 6))
def test_odd_literals_are_read_the_same(
    frame: tuple[Contract, list[list[Any]]], literal: str, place: int
):
    """Numbers beyond 64 bits, texts in escapes, and what is not JSON."""
    contract, rows = frame
    keys = names(contract)
    records = [dict(zip(keys, row, strict=True)) for row in rows]
    records[-1][keys[place % len(keys)]] = "LITERAL"
    check(orjson.dumps(records).decode().replace('"LITERAL"', literal).encode(), contract)


@pytest.mark.parametrize("contract", [MIXED, NUMBERS], ids=["mixed", "numbers"])
@pytest.mark.parametrize("key", ["data", "Inputs", None])
def test_records_are_read_by_the_class(contract: Contract, key: str | None):
    """Under any key, in any order of the columns, with nulls and white space."""
    row = test_any_form.ROW if contract is MIXED else [1.5, 2, None]
    record = dict(zip(names(contract), row, strict=True))
    records = [record, dict(reversed(record.items())), record | {"age": None}]
    document = records if key is None else {key: records}
    assert check(orjson.dumps(document, option=orjson.OPT_INDENT_2), contract)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"x": 1, "x": 2, "y": "a"}]',
        b'[{"x": 1, "\\u0078": 2, "y": "a:b"}]',
        b'{"data": [{"x": 1, "y": "a"}], "data": [{"x": 2, "y": "b"}]}',
        b'{"data": [{"x": 1, "y": "a"}], "inputs": [{"x": 2, "y": "b"}]}',
        b'[{"x": 1, "y": "a", "z": 1}]',
        b'[{"x": 1}]',
        b'{"data": [{"x": 1, "y": "a"}], "method": "predict"}',
    ],
)
def test_what_the_class_does_not_know_is_left_to_the_other_reader(body: bytes):
    """A key that is there twice, others than the columns, and options."""
    assert not check(body, CONTRACT)


def test_colons_in_texts_do_not_look_like_keys():
    """Times and addresses are read by the class, too."""
    assert check(b'[{"x": 1, "y": "10:30"}, {"x": 2, "y": "\\":"}]', CONTRACT)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "", "x/y~", "å", "field_1", "__class__"])
def test_a_column_may_have_any_name(name: str):
    """Where the class can't have it, the other reader reads it."""
    contract = Contract((Feature(name), Feature("field_0", "str")), ("predict",))
    body = orjson.dumps([{name: 1, "field_0": "a"}])
    assert check(body, contract) is not bool(set(name) & {'"', "\\", "\n"})
    assert validate(body.ljust(5_000), contract, LIMITS).X.tolist() == [[1.0, "a"]]


@pytest.mark.parametrize("dtype", [ANY, CATEGORY])
def test_an_integer_beyond_64_bits_stays_what_it_was(dtype: str):
    """The other parser makes a float of it."""
    categories = (1, 2) if dtype == CATEGORY else ()
    feature = Feature("x", dtype, categories=categories, unseen=dtype == CATEGORY)
    contract = Contract((feature, Feature("y", "str")), ("predict",))
    assert check(b'[{"x": 9223372036854775807, "y": "a"}]', contract)
    assert not check(b'[{"x": 18446744073709551616, "y": "a"}]', contract)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_bytes=MIN_BODY_BYTES),
        Limits(max_rows=2),
        Limits(max_elements=5),
        Limits(max_features=1),
        Limits(max_depth=2),
    ],
)
def test_a_body_over_a_limit_is_not_read(limits: Limits):
    """The other reader says which limit it is."""
    body = orjson.dumps([{"x": 1.5, "y": "a"}] * 3).ljust(MIN_BODY_BYTES + 1)
    assert CONTRACT.typed_records.read(body, LIMITS) is not None
    assert CONTRACT.typed_records.read(body, limits) is None


def test_a_body_with_far_more_rows_than_allowed_is_not_parsed(monkeypatch: pytest.MonkeyPatch):
    """Its objects would take several times its memory."""
    records = Contract((Feature("x"),), ("predict",)).typed_records
    monkeypatch.setattr(records, "_parse", lambda _: pytest.fail("The body was parsed."))
    assert records.read(orjson.dumps([{"x": 1}] * 20_000), LIMITS) is None


def test_a_wide_model_has_no_class():
    """Keys in any order would be looked for one by one."""
    for width in (MAX_COLUMNS, MAX_COLUMNS + 1):
        contract = Contract(tuple(Feature(f"x{j}") for j in range(width)), ("predict",))
        body = orjson.dumps([{f"x{j}": 1.5 for j in range(width)}])
        assert check(body, contract) is (width == MAX_COLUMNS)
