import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from validated import NAMED, batch, refusal


def test_columns_are_taken_by_their_names():
    """Each is a list of values; others are left out."""
    sent = {"b": [2, 4], "a": [1, 3], "id": ["x", "y"]}
    for key in ("data", "input_data", "inputs"):
        assert batch({key: sent}).X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("data", "error", "location", "words"),
    [
        ({"a": [1, 2], "b": [3]}, errors.WrongShape, "/data/b", "as many values as the others"),
        ({"a": [1], "b": [3, 4]}, errors.WrongShape, "/data/b", "as many values as the others"),
        ({"a": [1], "b": 3}, errors.WrongShape, "/data/b", "this one is not"),
        ({"a": 1, "b": [3]}, errors.WrongShape, "/data/a", "this one is not"),
        ({"a": [1], "b": [[3]]}, errors.WrongShape, "/data/b/0", "a list"),
        ({"a": [1], "b": [{}]}, errors.WrongShape, "/data/b/0", "an object"),
        ({"a": [], "b": []}, errors.EmptyBatch, "/data", "no rows"),
        ({"a": [], "b": [], "c": [1]}, errors.EmptyBatch, "/data", "no rows"),
        ({"a": [1]}, errors.WrongFeatures, "/data", "Columns are missing: b"),
        ({"a": [1, 2], "b": [3, "x"]}, errors.WrongType, "/data/b/1", "be a number"),
        ({"a": [1, 2], "b": [3, None]}, errors.MissingValue, "/data/b/1", "not be null"),
        ({"a": {"0": 1}, "b": {"0": 2}}, errors.WrongShape, "/data/a", "an object"),
    ],
)
def test_what_is_wrong_with_columns_is_named_with_its_place(
    data: object, error: type, location: str, words: str
):
    """The pointer leads to the column, or to the value in it."""
    refused = refusal({"data": data}, NAMED)
    assert (type(refused), refused.location) == (error, location)
    assert words in refused.message


def test_an_optional_column_is_as_long_as_the_model_s_others():
    """However long a column is that the model does not know."""
    contract = Contract(
        (Feature("a"), Feature("b", "str", missing=True, optional=True)), ("predict",)
    )
    assert batch({"data": {"id": [7, 8, 9], "a": [1]}}, contract).X.tolist() == [[1.0, None]]
