"""Parameters beside the rows of a request: read with their types, and part of what is cached."""

from typing import Any

import numpy as np
import orjson
import pytest

import support
from azureml_scoring import errors
from azureml_scoring.caching.key import KeyMaker
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.media_types import CSV, JSON
from azureml_scoring.inputs.parameter import Parameter, values
from validated import batch, refusal
from validation import validate

FEATURES = (Feature("a"), Feature("b"))
PARAMETERS = (
    Parameter("top", "int64", 3),
    Parameter("share", "float64", 0.5),
    Parameter("unit", "str"),
    Parameter("weights", "float32", [1.0], several=True),
)
CONTRACT = Contract(FEATURES, ("predict",), parameters=PARAMETERS)
DEFAULTS = {"top": 3, "share": 0.5, "unit": None, "weights": [1.0]}
ROWS: dict[str, Any] = {"data": [[1, 2]]}


def read(params: object) -> dict[str, Any]:
    return values(batch(ROWS | {"params": params}, CONTRACT).params)


@pytest.mark.parametrize("document", [ROWS, ROWS | {"params": None}, ROWS | {"params": {}}])
def test_defaults_stand_for_what_is_not_sent(document: Any):
    """As in MLflow."""
    assert values(batch(document, CONTRACT).params) == DEFAULTS


def test_values_replace_the_defaults():
    """A whole number goes for a float, and a list for several values."""
    sent = {"share": 1, "weights": [2, 0.5], "unit": "cm"}
    assert read(sent) == {"top": 3, "share": 1.0, "unit": "cm", "weights": [2.0, 0.5]}
    assert read({"unit": None, "weights": []}) == DEFAULTS | {"weights": []}


@pytest.mark.parametrize("form", [{"input_data": [[1, 2]]}, {"columns": ["a", "b"], **ROWS}])
def test_they_stand_beside_the_data_in_each_form(form: Any):
    """Beside `data` and `input_data`."""
    assert values(batch(form | {"params": {"top": 1}}, CONTRACT).params)["top"] == 1


@pytest.mark.parametrize(
    ("params", "error", "location", "told"),
    [
        ({"n": 1}, errors.UnknownParameter, "/params", "has the parameters top, share, unit, wei"),
        ([1], errors.UnknownForm, "/params", '"params" must be an object'),
        ({"top": "1"}, errors.WrongType, "/params/top", "top must be a whole number"),
        ({"top": True}, errors.WrongType, "/params/top", "top must be a whole number"),
        ({"top": None}, errors.WrongType, "/params/top", "top must be a whole number"),
        ({"top": 2**63}, errors.OutOfRange, "/params/top", "top must be a whole number"),
        ({"top": [1]}, errors.WrongType, "/params/top", "top must be a whole number"),
        ({"weights": 1.0}, errors.WrongType, "/params/weights", "must be a list, each value a num"),
        ({"weights": ["x"]}, errors.WrongType, "/params/weights", "must be a list, each value"),
    ],
)
def test_a_wrong_parameter_is_named(params: Any, error: type, location: str, told: str):
    """With the parameters that the model has, or what the value must be."""
    refused = refusal(ROWS | {"params": params}, CONTRACT)
    assert (type(refused), refused.location) == (error, location)
    assert told in refused.message


def test_a_model_without_parameters_refuses_any():
    """And takes none at all."""
    contract = Contract(FEATURES, ("predict",))
    assert batch(ROWS | {"params": {}}, contract).params == b""
    assert "takes no parameters" in refusal(ROWS | {"params": {"top": 1}}, contract).message


def test_equal_parameters_share_a_cached_answer_and_others_do_not():
    """The order in which they are sent does not count, nor whether a default is."""
    keys = KeyMaker(support.model(CONTRACT), "prefix")

    def key(params: Any) -> bytes:
        return keys.of_batch(batch(ROWS | {"params": params}, CONTRACT))

    assert key({"top": 3}) == key({}) == key({"share": 0.5, "top": 3})
    assert key({"top": 4}) != key({"top": 3})


def test_a_contract_keeps_its_parameters():
    """Older manifests have none, and stay as they are."""
    assert CONTRACT.to_json()["parameters"][0] == {
        "name": "top", "dtype": "int64", "default": 3, "several": False,
    }  # fmt: skip
    assert "parameters" not in Contract(FEATURES, ("predict",)).to_json()


OPTIONAL = Contract((Feature("a"), Feature("b", missing=True, optional=True)), ("predict",))
MIXED = Contract(
    (Feature("a", "str", missing=True, optional=True), Feature("b", "str")), ("predict",)
)


def test_an_optional_column_may_be_left_out():
    """Its values are then missing; other columns may not."""
    X = batch({"columns": ["a"], "data": [[1], [2]]}, OPTIONAL).X
    np.testing.assert_array_equal(X, [[1, np.nan], [2, np.nan]])
    assert batch({"columns": ["b"], "data": [["x"]]}, MIXED).X.tolist() == [[None, "x"]]
    refused = refusal({"columns": ["b"], "data": [[1]]}, OPTIONAL)
    assert "Columns are missing: a." in refused.message


@pytest.mark.parametrize(
    "document", [{"data": {"a": [1, 2]}}, {"data": [{"a": 1}, {"a": 2}]}, {"inputs": {"a": [1, 2]}}]
)
def test_an_optional_column_may_be_left_out_of_each_form(document: Any):
    """Of columns as of records."""
    np.testing.assert_array_equal(batch(document, OPTIONAL).X, [[1, np.nan], [2, np.nan]])


@pytest.mark.parametrize(
    "document",
    [
        {"data": {"a": [1, 2]}},
        {"data": [{"a": 1}, {"a": 2}]},
        {"columns": ["a"], "data": [[1], [2]]},
        "a\n1\n2\n",
    ],
    ids=["columns", "records", "rows", "CSV"],
)
def test_values_of_a_column_that_is_left_out_count(document: Any):
    """A body has as many values as the array that it becomes."""
    body, form = (
        (document.encode(), CSV) if isinstance(document, str) else (orjson.dumps(document), JSON)
    )
    assert validate(body, OPTIONAL, Limits(max_elements=4), form).X.shape == (2, 2)
    with pytest.raises(errors.TooManyElements, match="4 elements"):
        validate(body, OPTIONAL, Limits(max_elements=3), form)


def test_an_optional_column_may_be_left_out_of_a_csv():
    """Where it has a header."""
    X = validate(b"a\n1\n2\n", OPTIONAL, Limits(), CSV).X
    np.testing.assert_array_equal(X, [[1, np.nan], [2, np.nan]])


def test_rows_without_names_have_all_columns():
    """Which of them is left out would not be known."""
    assert "must have 2 values" in refusal({"data": [[1]]}, OPTIONAL).message
    assert OPTIONAL.to_json()["features"][1]["optional"] is True


def test_the_pointer_to_a_parameter_is_escaped():
    """RFC 6901: a slash in a name is no step of the pointer."""
    contract = Contract(FEATURES, ("predict",), parameters=(Parameter("km/h", "float64", 1.0),))
    assert refusal(ROWS | {"params": {"km/h": "x"}}, contract).location == "/params/km~1h"
