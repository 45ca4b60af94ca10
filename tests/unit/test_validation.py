import re

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validated import NAMED, UNNAMED, batch, one, refusal
from validation import validate

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
def test_numbers_arrive_as_they_were_sent(rows: list[tuple[float, float]]):
    """No value is rounded, reordered or converted on its way into the array."""
    result = batch({"data": rows})
    np.testing.assert_array_equal(result.X, np.array(rows))
    assert result.X.dtype == np.float64
    assert result.X.flags.c_contiguous


@given(st.permutations([0, 1]), st.booleans())
def test_columns_are_matched_by_name(order: list[int], extra: bool):
    """Their order does not matter, and columns that the model does not know are left out."""
    columns, row = (
        [NAMED.names[i] for i in order] + ["id"] * extra,
        [order[0], order[1]] + ["abc"] * extra,
    )
    result = batch({"input_data": {"columns": columns, "data": [row]}})
    assert result.X.tolist() == [[0.0, 1.0]]
    assert result.X.flags.c_contiguous


@pytest.mark.parametrize("columns", [["a", "b"], ["b", "a"]])
def test_a_dataframe_is_taken_by_its_names_however_pandas_writes_it(columns: list[str]):
    """The dict or the JSON of ``orient="split"``, by itself or as ``input_data``, is never read by
    position."""
    frame = pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]}, index=["x", "y"])[columns]
    for document in (frame.to_dict("split"), orjson.loads(frame.to_json(orient="split"))):
        for sent in (document, {"input_data": document}):
            assert batch(sent).X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("key", ["names", "column_names", "feature_names", "schema", "params"])
@pytest.mark.parametrize("where", ["beside data", "beside input_data", "inside"])
def test_nobody_is_told_to_leave_out_what_may_hold_the_names(key: str, where: str):
    """The error says which key takes the names: without names the values would be read by
    position."""
    table = {"data": [[2, 1]], key: ["b", "a"]}
    sent = {
        "beside data": table,
        "beside input_data": {"input_data": [[2, 1]], key: []},
        "inside": {"input_data": table},
    }
    error = refusal(sent[where], NAMED)
    assert error.code == "unknown_form"
    assert not re.search("leave|remove|drop|without the", error.message)
    assert '{"columns": ["a", "b"], "data": [[...], [...]]}' in error.message


def test_what_an_error_says_about_columns_does_not_make_it_wrong():
    """A model fitted without names uses positions, and the error says so to clients that send
    names."""
    error = refusal({"columns": ["b", "a"], "data": [[2, 1]]}, UNNAMED)
    assert (
        "by their place in its fit, 0 to 1. Put the values of each row in the order of the fit"
        in error.message
    )
    assert batch({"columns": [1, 0], "data": [[2, 1]]}, UNNAMED).X.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    "contract", [NAMED, Contract((Feature("a"), Feature("b", "any")), ("predict",))]
)
def test_a_byte_order_mark_changes_nothing(contract: Contract):
    """Windows' tools write it before UTF-8."""
    body = orjson.dumps({"data": [[1, 2]]})
    plain, marked = (validate(mark + body, contract, Limits()) for mark in (b"", b"\xef\xbb\xbf"))
    assert marked.X.tolist() == plain.X.tolist() == [[1.0, 2.0]]


def test_a_model_without_names_takes_positions_as_columns():
    """The index of a pandas DataFrame without names is a name too."""
    assert batch({"input_data": {"columns": [1, 0], "data": [[5, 6]]}}, UNNAMED).X.tolist() == [
        [6.0, 5.0]
    ]


def test_names_that_are_whole_numbers_are_numbers_or_texts():
    """JSON may have either, for a model with such names and for one without any."""
    numbered = Contract((Feature("3"), Feature("5")), ("predict",))
    for columns, contract in (([5, 3], numbered), (["5", "3"], numbered), (["1", "0"], UNNAMED)):
        assert batch(
            {"input_data": {"columns": columns, "data": [[5, 6]]}}, contract
        ).X.tolist() == [[6.0, 5.0]]
    twice = refusal({"input_data": {"columns": [3, "3"], "data": [[5, 6]]}}, numbered)
    assert "named more than once" in twice.message


def test_the_method_is_the_first_unless_asked_for():
    """``method`` chooses one of the model's methods."""
    assert batch({"data": [1, 2]}).method == "predict"
    assert batch({"data": [1, 2], "method": "predict_proba"}).method == "predict_proba"


@pytest.mark.parametrize("method", ["transform", "__class__", "fit", "", 1, [], {}, True])
def test_a_method_that_the_model_has_not_is_refused(method: object):
    """Only listed methods can be called, whatever else the estimator has."""
    error = refusal({"data": [1, 2], "method": method}, NAMED)
    assert (type(error), error.location) == (errors.UnknownMethod, "/method")


@pytest.mark.parametrize(
    ("document", "contract", "error", "location"),
    [
        ({"data": [[1]]}, NAMED, errors.WrongFeatures, "/data"),
        ({"data": [[1, 2, 3]]}, NAMED, errors.WrongFeatures, "/data"),
        ({"data": [[]]}, NAMED, errors.WrongFeatures, "/data"),
        (
            {"input_data": {"columns": ["a"], "data": [[1]]}},
            NAMED,
            errors.WrongFeatures,
            "/input_data/columns",
        ),
        (
            {"input_data": {"columns": ["a", "a"], "data": [[1, 2]]}},
            NAMED,
            errors.WrongFeatures,
            "/input_data/columns",
        ),
        (
            {"input_data": {"columns": ["a", "b"], "data": [[1, 2]]}},
            UNNAMED,
            errors.WrongFeatures,
            "/input_data/columns",
        ),
        ({"data": [[1, 2], [3, "4"]]}, NAMED, errors.WrongType, "/data/1/1"),
        ({"data": [[1, True]]}, NAMED, errors.WrongType, "/data/0/1"),
        ({"data": [1, None]}, NAMED, errors.MissingValue, "/data/1"),
        ([[1, None]], NAMED, errors.MissingValue, "/0/1"),
        (
            {"input_data": {"columns": ["b", "a"], "data": [["x", 1]]}},
            NAMED,
            errors.WrongType,
            "/input_data/data/0/0",
        ),
        ([[1.5]], one("int64"), errors.OutOfRange, "/0/0"),
        ([[2**63]], one("int64"), errors.OutOfRange, "/0/0"),
        ([[300]], one("uint8"), errors.OutOfRange, "/0/0"),
        ([[1e39]], one("float32"), errors.OutOfRange, "/0/0"),
        ([[1]], one("bool"), errors.WrongType, "/0/0"),
        ([["true"]], one("bool"), errors.WrongType, "/0/0"),
        ([[1]], one("str"), errors.WrongType, "/0/0"),
        ([["green"]], one("category", categories=("red", "blue")), errors.WrongType, "/0/0"),
    ],
)
def test_a_value_that_breaks_the_contract_is_named(
    document: object, contract: Contract, error: type[errors.ClientError], location: str
):
    """The location is where the client sent it, even if columns were reordered."""
    refused = refusal(document, contract)
    assert (refused.code, refused.location) == (error.code, location)


@given(st.text(min_size=3, alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_no_message_echoes_a_value(secret: str):
    """What a client sent never appears in an error or in the log."""
    for document in (
        [[secret, 1]],
        {"data": [[1, 2]], "method": secret},
        {secret: 1},
        {"input_data": {secret: 1}},
        [{secret: 1}],
        [{"a": secret, "b": secret}],
        {"data": {"a": [secret], "b": [1]}},
        {"data": {secret: [1]}},
        {"data": [[1, 2]], "params": {secret: 1}},
    ):
        refused = refusal(document, NAMED)
        assert secret not in f"{refused.message} {refused.location}"
    columns = {"input_data": {"columns": [secret], "data": [[1]]}}
    assert secret not in refusal(columns, NAMED).message
