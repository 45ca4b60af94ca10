"""An error about the form of a body shows the form that this model takes."""

import re

import orjson
import pytest

from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from validated import NAMED, UNNAMED, batch, one, refusal

WIDE = Contract(tuple(Feature(f'col"{number}') for number in range(9)), ("predict",))


@pytest.mark.parametrize(
    ("document", "contract", "shown"),
    [
        ({"data": ["text a", "text b"]}, one("str"), '{"data": [["first text"], ["second text"]]}'),
        ({"data": [{"y": "text a"}]}, one("str"), '{"data": [["first text"], ["second text"]]}'),
        ({"data": [1, 2]}, one("int64"), '{"data": [[1], [2]]}'),
        ({"data": [True, False]}, one("bool"), '{"data": [[true], [false]]}'),
        (
            {"rows": [["red"]]},
            one("category", categories=("red",)),
            '{"data": [[...], [...]]}, each row',
        ),
        ({"text": "a"}, one("str"), '{"data": [{"x": "first text"}, {"x": "second text"}]}'),
        (
            {"text": "a"},
            Contract((Feature(None, "str"),), ("predict",)),
            'Send {"data": [["first text"], ["second text"]]}: each row is a list of one value.',
        ),
        ({"data": [{"c": 1}]}, NAMED, '{"columns": ["a", "b"], "data": [[...], [...]]}'),
        ({"data": [{"c": 1}]}, NAMED, '{"data": [{"a": ..., "b": ...}, ...]}'),
        (
            {"data": [1, 2, 3]},
            NAMED,
            "2 values in each row, in the order that the model was fitted with",
        ),
        ([{"a": 1}], UNNAMED, '{"data": [[...], [...]]}, with 2 values in each row'),
        ({"data": [[1]]}, WIDE, r'{"columns": ["col\"0", "col\"1", "col\"2", ...], "data"'),
        ("text", NAMED, '"columns": ["a", "b"]'),
    ],
)
def test_an_error_about_the_form_shows_the_form_of_this_model(
    document: object, contract: Contract, shown: str
):
    """It names the model's own columns, three at most."""
    assert shown in refusal(document, contract).message


@pytest.mark.parametrize("dtype", ["str", "int64", "float64", "bool"])
def test_the_form_that_an_error_shows_is_taken(dtype: str):
    """It can be copied from the message as it is."""
    message = refusal({"data": {}}, one(dtype)).message
    records, rows = re.findall(r'{"data": .*?]}', message)
    for example in (records, rows):
        assert len(batch(orjson.loads(example), one(dtype)).X) == 2
