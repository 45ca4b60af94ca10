import orjson
import pytest

from azureml_scoring import errors
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validated import NAMED, UNNAMED, batch, refusal
from validation import validate

GAPS = Contract(
    (Feature("a", missing=True), Feature("Birth date", "str", missing=True)), ("predict",)
)
PATHS = Contract((Feature("a/b~c"), Feature("x")), ("predict",))


def test_records_are_taken_by_their_keys():
    """Each record may have its keys in an order of its own, and others too."""
    sent = [{"b": 2, "a": 1}, {"id": {"nested": [1]}, "a": 3, "b": 4}]
    for document in (sent, {"data": sent}, {"instances": sent}):
        assert batch(document).X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_one_record_may_stand_alone():
    """An object of values is a single record; with lists it would be columns."""
    for key in ("data", "input_data", "inputs", "instances"):
        assert batch({key: {"b": 2, "a": 1, "id": "x"}}).X.tolist() == [[1.0, 2.0]]


def test_a_missing_key_is_a_missing_value():
    """In some records or in all, if the model takes missing values there."""
    assert batch([{"a": 1}, {"Birth date": "x"}], GAPS).X.tolist()[1][1] == "x"
    assert batch([{"a": 1}, {"a": 2, "id": 1}], GAPS).X.tolist() == [[1.0, None], [2.0, None]]
    assert batch({"data": {"a": 1}}, GAPS).X.tolist() == [[1.0, None]]


def test_a_model_without_names_takes_places_as_keys():
    """pandas writes them for a DataFrame without names."""
    assert batch([{"0": 5, "1": 6}, {"1": 8, "0": 7}], UNNAMED).X.tolist() == [[5, 6], [7, 8]]


@pytest.mark.parametrize(
    ("document", "contract", "error", "location", "words"),
    [
        ([{"a": 1, "b": 2}, {"a": 1}], NAMED, errors.MissingValue, "/1/b", "must not be null"),
        ([{"a": 1}], NAMED, errors.WrongFeatures, "", "Columns are missing: b"),
        ({"data": {"a": 1}}, NAMED, errors.WrongFeatures, "/data", "Columns are missing: b"),
        ({"data": [{"a": 1, "b": "x"}]}, NAMED, errors.WrongType, "/data/0/b", "be a number"),
        ({"data": {"a": 1, "b": "x"}}, NAMED, errors.WrongType, "/data/b", "be a number"),
        ([{"a": 1, "b": [2]}], NAMED, errors.WrongShape, "/0/b", "a list"),
        ([{"a": {"x": 1}, "b": 2}], NAMED, errors.WrongShape, "/0/a", "an object"),
        ([{"a": 1, "b": 2}, {}], NAMED, errors.WrongShape, "/1", "at least one"),
        ([{}], GAPS, errors.WrongShape, "/0", "at least one"),
        ([{"x": 1}], GAPS, errors.WrongShape, "/0", "at least one"),
        ([{"a": 1, "b": 2}, None], NAMED, errors.WrongShape, "/1", "this one is not"),
        ([None, {"a": 1, "b": 2}], NAMED, errors.WrongShape, "/1", "This one is an object"),
        ([{"a": 1, "b": 2}, [1, 2]], NAMED, errors.WrongShape, "/1", "this one is not"),
        ([[1, 2], {"a": 1, "b": 2}], NAMED, errors.WrongShape, "/1", "This one is an object"),
        ([{"a/b~c": None, "x": 1}], PATHS, errors.MissingValue, "/0/a~1b~0c", "not be null"),
        ([{"0": 1}], UNNAMED, errors.WrongFeatures, "", "no column names"),
        ([{"a": 1, "birth_date": 2}], GAPS, errors.WrongFeatures, "", "column Birth date"),
    ],
)
def test_what_is_wrong_with_records_is_named_with_its_place(
    document: object, contract: Contract, error: type, location: str, words: str
):
    """The pointer leads to the value, or to where it would be."""
    refused = refusal(document, contract)
    assert (type(refused), refused.location) == (error, location)
    assert words in refused.message


def test_a_misspelled_key_is_not_a_missing_value():
    """A key that differs from a column only in case or punctuation is refused, even if the model
    takes missing values there."""
    for key in ("A", "birthdate", "BIRTH_DATE", "Birth-Date"):
        known = {"a": 1} if key != "A" else {"Birth date": "x"}
        refused = refusal([known | {key: 5}], GAPS)
        assert "differs from the column" in refused.message


def test_a_misspelled_key_is_found_in_each_record():
    """Also where other records write the column right, but not where a record has both keys."""
    records = [{"a": 1, "Birth date": "x"}, {"a": 2, "birth_date": "y"}]
    assert "differs from the column Birth date" in refusal(records, GAPS).message
    both = [{"a": 1, "Birth date": "x", "birth_date": "y"}, {"Birth date": "z"}]
    assert batch(both, GAPS).X[:, 1].tolist() == ["x", "z"]


def test_names_of_nothing_but_marks_are_told_apart():
    """Without their punctuation nothing of them is left."""
    contract = Contract((Feature("a"), Feature("%", "str", missing=True)), ("predict",))
    assert batch([{"a": 1, "#": 2}], contract).X.tolist() == [[1.0, None]]


def test_only_short_keys_are_compared_with_the_columns():
    """Comparing takes time, and a body may hold a key of millions of characters."""
    assert batch([{"a": 1, "Birth" + 100 * "_" + "date": 2}], GAPS).X.tolist() == [[1.0, None]]


def test_keys_left_out_count_as_values():
    """A few bytes can't ask for more values than the limit."""
    with pytest.raises(errors.TooManyElements):
        validate(orjson.dumps([{"a": 1}] * 6), GAPS, Limits(max_elements=10))
