"""Small bodies are read by a plan, and give what large ones give."""

from typing import Any

import orjson
import pytest
import test_any_form
from hypothesis import given
from hypothesis import strategies as st
from test_any_form import MIXED, names, seen

import forms
from azureml_scoring.errors import WrongFeatures, WrongType
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import ANY, Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.row_plans import SMALL_BODY_BYTES
from validation import validate

ROW = test_any_form.ROW


def check(body: bytes, contract: Contract) -> bool:
    """Compare with what a large body gives; tell whether this one was read by a plan."""
    X = contract.row_plans.read(body, Limits())
    if X is None:
        return False
    large = validate(body.ljust(SMALL_BODY_BYTES + 1), contract, Limits())
    assert seen(large._replace(X=X), contract) == seen(large, contract)
    return True


@given(
    form=st.sampled_from(list(forms.DOCUMENTS)),
    frame=test_any_form.frames(),
    spoil=st.booleans(),
    data=st.data(),
)
def test_what_a_plan_reads_is_what_a_large_body_gives(
    form: str, frame: tuple[Contract, list[list[Any]]], *, spoil: bool, data: st.DataObject
):
    """A body that a large one could not have is never read by a plan."""
    contract, rows = frame
    document = forms.DOCUMENTS[form](names(contract), rows)
    check(orjson.dumps(test_any_form.spoiled(document, data.draw) if spoil else document), contract)


@pytest.mark.parametrize("form", forms.DOCUMENTS)
def test_the_usual_forms_are_read_by_a_plan(form: str):
    """All but columns, which are read as a whole, and what names a method or parameters."""
    document = forms.DOCUMENTS[form](names(MIXED), [ROW, ROW])
    keys = {*document} if isinstance(document, dict) else set()
    beside = keys & {"method", "params", "GlobalParameters"}
    columns = "age" in str(document) and "'age': [" in str(document)
    assert check(orjson.dumps(document), MIXED) is not bool(beside or columns)


@pytest.mark.parametrize(
    "body",
    [
        b'[{"x": 1, "x": 2, "y": "a"}]',
        b'[{"x": 1, "\\u0078": 2, "y": "a"}]',
        b'{"data": [{"y": "a", "x": 1, "y": "b"}]}',
        b'[{"x": 1, "y": "\\"a"}]',
    ],
)
def test_a_key_sent_twice_is_not_read_by_a_plan(body: bytes):
    """Nobody knows which one counts; nor are texts with quotes, which hide such keys."""
    contract = Contract((Feature("x"), Feature("y", "str")), ("predict",))
    assert not check(body, contract)


@pytest.mark.parametrize(
    "body",
    [
        b'{"columns": "x", "data": [[1]]}',
        b'{"columns": {"x": 1}, "data": [[1]]}',
        b'{"index": [[1]], "data": [[1]]}',
    ],
)
def test_a_split_frame_that_is_not_plain_is_not_read_by_a_plan(body: bytes):
    """Columns are a list of names; an index may be nested more deeply than is allowed."""
    assert not check(body, Contract((Feature("x"),), ("predict",)))


@pytest.mark.parametrize("value", [1, 1.0, True, 0.0, -0.0, "x"])
def test_a_known_value_keeps_its_type(value: Any):
    """Although 1, 1.0 and true are equal."""
    contract = Contract((Feature("x", ANY, categories=(1, 0.0, "x")),), ("predict",))
    body = orjson.dumps([[value]])
    read = [validate(sent, contract, Limits()) for sent in (body, body.ljust(SMALL_BODY_BYTES + 1))]
    assert seen(read[0], contract) == seen(read[1], contract)


def test_rows_of_other_types_have_plans_of_their_own():
    """What the contract refuses in one row is refused whatever was read before."""
    contract = Contract((Feature("x", missing=True), Feature("y", "bool")), ("predict",))
    for rows in ([[1.5, True]], [[1, True], [None, False]], [[-0.0, True]]):
        assert check(orjson.dumps(rows), contract)
    for wrong in ([[1.5, 1]], [[True, True]], [["1", True]]):
        assert not check(orjson.dumps(wrong), contract)
        with pytest.raises(WrongType):
            validate(orjson.dumps(wrong), contract, Limits())
    with pytest.raises(WrongFeatures):
        validate(orjson.dumps([[1.5, True, 3]]), contract, Limits())
