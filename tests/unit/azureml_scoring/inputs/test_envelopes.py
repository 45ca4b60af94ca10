"""The keys around the data, and what may stand beside them."""

import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.envelopes import ENVELOPES
from azureml_scoring.inputs.feature import Feature
from validated import NAMED, batch, refusal

RECORDS = [{"a": 1, "b": 2}]


@pytest.mark.parametrize("key", ENVELOPES)
def test_the_data_stands_under_one_key(key: str):
    """Two of them are refused, and the error names them all."""
    assert batch({key: RECORDS}).X.tolist() == [[1.0, 2.0]]
    other = "data" if key != "data" else "inputs"
    refused = refusal({key: RECORDS, other: RECORDS}, NAMED)
    assert (refused.code, refused.location) == ("unknown_form", "")
    assert all(f'"{name}"' in refused.message for name in ENVELOPES)


def test_a_wrong_mixture_names_the_forms_that_are_taken():
    """Records come first in the sentence: they are what most people try."""
    for document in ({"rows": [[1, 2]]}, {"a": 1, "b": 2}, {"data": RECORDS, "id": 1}, "text"):
        assert (
            'Send records, {"data": [{"a": ..., "b": ...}, ...]}'
            in refusal(document, NAMED).message
        )


@pytest.mark.parametrize(
    ("document", "error", "location"),
    [
        ({"a": 1, "b": 2}, errors.UnknownForm, ""),
        ({"inputs": [[1, 2]], "columns": ["a", "b"]}, errors.UnknownForm, ""),
        ({"Inputs": RECORDS, "params": {}}, errors.UnknownForm, ""),
        ({"data": RECORDS, "GlobalParameters": {}}, errors.UnknownForm, ""),
        ({"dataframe_split": {"columns": ["a", "b"]}}, errors.UnknownForm, "/dataframe_split"),
        ({"dataframe_split": {"data": [], "x": 1}}, errors.UnknownForm, "/dataframe_split"),
        ({"dataframe_records": "x"}, errors.WrongShape, "/dataframe_records"),
        ({"inputs": None}, errors.WrongShape, "/inputs"),
        ({"columns": ["a", "b"], "data": RECORDS}, errors.WrongShape, "/data"),
        ({"columns": ["a", "b"], "data": {"a": [1], "b": [2]}}, errors.WrongShape, "/data"),
        ({"Inputs": {"data": [{"a": 1, "b": "x"}]}}, errors.WrongType, "/Inputs/data/0/b"),
        (
            {"dataframe_split": {"columns": ["b", "a"], "data": [[1, "x"]]}},
            errors.WrongType,
            "/dataframe_split/data/0/1",
        ),
        (
            {"dataframe_split": {"columns": ["b"], "data": [[1]]}},
            errors.WrongFeatures,
            "/dataframe_split/columns",
        ),
    ],
)
def test_what_is_wrong_around_the_data_is_named_with_its_place(
    document: object, error: type, location: str
):
    """The pointer begins with the key of the data."""
    refused = refusal(document, NAMED)
    assert (type(refused), refused.location) == (error, location)


def test_a_model_may_have_columns_that_are_called_as_keys():
    """An object with all of the model's columns is not taken for a DataFrame that pandas split."""
    contract = Contract((Feature("data"), Feature("index")), ("predict",))
    for data in ({"data": [1], "index": [2]}, {"data": 1, "index": 2}):
        assert batch({"input_data": data}, contract).X.tolist() == [[1.0, 2.0]]
    alone = Contract((Feature("data"),), ("predict",))
    assert batch({"input_data": {"data": [1, 2]}}, alone).X.tolist() == [[1.0], [2.0]]
    contract = Contract((Feature("data"), Feature("age")), ("predict",))
    for data in ({"data": [1], "age": [2]}, {"data": 1, "age": 2}, [{"data": 1, "age": 2}]):
        assert batch({"input_data": data}, contract).X.tolist() == [[1.0, 2.0]]
        assert batch({"data": data}, contract).X.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    "split",
    [
        {"data": [[1, 2]], "index": [7]},
        {"data": [[1, 2]], "index": [7], "columns": ["data", "index"]},
        {"data": [1, 2], "index": [7], "columns": ["data", "index"]},
        {"data": [{"data": 1, "index": 2}], "index": [7]},
    ],
)
def test_rows_and_names_tell_a_split_dataframe_from_columns_of_its_names(split: object):
    """The model's columns are called as the keys of ``DataFrame.to_dict("split")``."""
    contract = Contract((Feature("data"), Feature("index")), ("predict",))
    assert batch({"input_data": split}, contract).X.tolist() == [[1.0, 2.0]]
