"""What holds for every form of a request."""

import sys
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import columnar_forms
import forms
import support
from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.errors import ClientError
from azureml_scoring.inputs import row_plans
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, CATEGORY, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import CSV, JSON
from validation import validate

MIXED = Contract(
    (
        Feature("age", "float64", missing=True),
        Feature("a/b~c", "float32"),
        Feature("visits", "int64"),
        Feature("city", "str", missing=True),
        Feature("data", CATEGORY, missing=True, categories=("red", "blue", 3, True)),
        Feature("member", "bool"),
        Feature("since", "datetime", missing=True),
    ),
    ("predict",),
)
NUMBERS = Contract(
    tuple(Feature(name, missing=True) for name in ("age", "method", "columns")), ("predict",)
)
ANYTHING = Contract((Feature("x"), Feature("y", ANY, missing=True)), ("predict",))
NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
VALUES = {
    MIXED: (
        st.none() | NUMBER,
        st.floats(width=32, allow_nan=False, allow_infinity=False),
        st.integers(-(2**63), 2**63 - 1),
        st.none() | TEXT,
        st.sampled_from([None, "red", "blue", 3, True]),
        st.booleans(),
        st.none() | st.sampled_from(["2025-11-09", "2025-11-09T10:00:59", "2025-11-09 10:00"]),
    ),
    NUMBERS: (st.none() | NUMBER,) * 3,
    ANYTHING: (NUMBER, st.none() | NUMBER | TEXT | st.booleans()),
}
MANY = settings(max_examples=4 * settings().max_examples)
"""For all forms together."""

CONTRACTS = st.sampled_from(list(VALUES))


def names(contract: Contract) -> list[str]:
    return [str(feature.name) for feature in contract.features]


@st.composite
def frames(draw: st.DrawFn) -> tuple[Contract, list[list[Any]]]:
    contract = draw(CONTRACTS)
    row = st.tuples(*VALUES[contract]).map(list)
    return contract, draw(st.lists(row, min_size=1, max_size=4))


def seen(batch: Batch, contract: Contract) -> tuple[Any, ...]:
    """What the model and the cache see of a batch."""
    values = [[(type(value), repr(value)) for value in row] for row in batch.X.tolist()]
    key = KeyMaker(support.model(contract), "prefix").of_batch(batch)
    return batch.X.dtype, batch.X.flags.c_contiguous, values, key


@MANY
@given(form=st.sampled_from(list(forms.FORMS)), frame=frames(), data=st.data())
def test_every_form_of_the_same_rows_is_the_same_request(
    form: str, frame: tuple[Contract, list[list[Any]]], data: st.DataObject
):
    """Values, types and the cache's key are equal, in whatever order the columns stand and whatever
    other column is there."""
    contract, rows = frame
    if form == "CSV" and contract is ANYTHING:
        return
    expected = validate(orjson.dumps({"data": rows}), contract, Limits())
    sent_names, sent_rows = names(contract), rows
    if form not in forms.BY_PLACE:
        order = data.draw(st.permutations(range(len(sent_names))))
        sent_names = [sent_names[place] for place in order] + ["other"]
        sent_rows = [[row[place] for place in order] + ["x"] for row in rows]
    body, media_type = forms.FORMS[form](sent_names, sent_rows)
    batch = validate(body, contract, Limits(), media_type)
    assert seen(batch, contract) == seen(expected, contract)


SCALAR = st.none() | st.booleans() | NUMBER | TEXT
ODD = SCALAR | st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT | st.sampled_from(["data", "age", "params"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def spoiled(value: Any, draw: Any) -> Any:
    """Replace, remove or double something in a document."""
    if not value or not isinstance(value, list | dict) or draw(st.integers(0, 3)) == 0:
        return draw(ODD)
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    key, child = draw(st.sampled_from(items))
    act = draw(st.sampled_from(["deeper", "deeper", "remove", "add"]))
    changed = dict(items)
    if act == "deeper":
        changed[key] = spoiled(child, draw)
    elif act == "remove":
        del changed[key]
    elif isinstance(value, dict):
        changed[draw(TEXT | st.sampled_from(["method", "params", "data", "columns"]))] = draw(ODD)
    else:
        changed[len(items)] = draw(ODD)
    return changed if isinstance(value, dict) else list(changed.values())


@MANY
@given(form=st.sampled_from(list(forms.DOCUMENTS)), frame=frames(), data=st.data())
def test_a_damaged_document_gives_a_batch_or_a_client_error(
    form: str, frame: tuple[Contract, list[list[Any]]], data: st.DataObject
):
    """Whatever is replaced, removed or added, nothing else is raised."""
    contract, rows = frame
    document = spoiled(forms.DOCUMENTS[form](names(contract), rows), data.draw)
    check(orjson.dumps(document), contract, JSON)


@MANY
@given(
    form=st.sampled_from(list(forms.FORMS)),
    frame=frames(),
    at=st.integers(0, 400),
    inserted=st.binary(max_size=3),
    cut=st.integers(0, 9),
)
def test_damaged_bytes_give_a_batch_or_a_client_error(
    form: str, frame: tuple[Contract, list[list[Any]]], at: int, inserted: bytes, cut: int
):
    """Any bytes may stand in the middle of a body, and some may be missing."""
    contract, rows = frame
    body, media_type = forms.FORMS[form](names(contract), rows)
    check(body[:at] + inserted + body[at + cut :], contract, media_type)


@given(body=st.binary(max_size=60) | st.text(max_size=40).map(str.encode), contract=CONTRACTS)
def test_any_bytes_give_a_batch_or_a_client_error(body: bytes, contract: Contract):
    """Under any media type that is taken."""
    for media_type in (JSON, CSV):
        check(body, contract, media_type)


def check(body: bytes, contract: Contract, media_type: str) -> None:
    try:
        batch = validate(body, contract, Limits(max_depth=8), media_type)
    except ClientError:
        return
    assert batch.X.shape == (len(batch.X), len(contract.features))


ROW = [1.5, 2.5, 3, "x", "red", True, "2025-11-09"]


@pytest.mark.parametrize("form", forms.DOCUMENTS)
def test_more_rows_take_no_more_calls(form: str):
    """Python calls no function for each value."""

    def calls(rows: list[list[Any]]) -> int:
        body, _ = forms.FORMS[form](names(MIXED), rows)
        body = body.ljust(row_plans.SMALL_BODY_BYTES + 1)
        codes: list[Any] = []
        validate(body, MIXED, Limits())
        sys.setprofile(lambda frame, event, _: event == "call" and codes.append(frame.f_code))
        try:
            validate(body, MIXED, Limits())
        finally:
            sys.setprofile(None)
        return len(codes)

    assert calls([ROW] * 100) <= calls([ROW] * 2) + 5


@pytest.mark.parametrize("form", forms.FORMS)
@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(max_bytes=10), "payload_too_large"),
        (Limits(max_elements=20), "too_many_elements"),
        (Limits(max_rows=2), "too_many_rows"),
        (Limits(max_features=6), "too_many_features"),
    ],
)
def test_every_form_has_the_same_limits(form: str, limits: Limits, error: str):
    """Bytes, values, rows and columns are bounded, whatever the form."""
    body, media_type = forms.FORMS[form](names(MIXED), [ROW] * 3)
    validate(body, MIXED, Limits(), media_type)
    with pytest.raises(ClientError) as caught:
        validate(body, MIXED, limits, media_type)
    assert caught.value.code == error


OPTIONAL = Contract(
    tuple(Feature(name, missing=True, optional=True) for name in ("age", "visits")), ("predict",)
)


@pytest.mark.parametrize("form", [*sorted({*forms.FORMS} - forms.BY_PLACE), *columnar_forms.FORMS])
def test_rows_of_another_model_are_refused(form: str):
    """A model all of whose columns may be left out does not score rows that have none of them."""
    sent = [[1.5, 2.5]]

    def read(*names: str) -> Batch:
        if form in columnar_forms.FORMS:
            table = columnar_forms.table(names, sent)
            body, media_type = columnar_forms.FORMS[form](table)
        else:
            body, media_type = forms.FORMS[form](names, sent)
        return validate(body, OPTIONAL, Limits(), media_type)

    assert read("other", "visits").X[0, 1] == 2.5
    with pytest.raises(ClientError, match="of the model's columns") as caught:
        read("other", "another")
    assert caught.value.code in ("wrong_features", "wrong_shape")
