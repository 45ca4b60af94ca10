"""An error about the form of a body shows the form that this model takes."""

import re

import numpy as np
import orjson
import pyarrow as pa
import pytest

import columnar_forms
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.media_types import CSV, JSON, TENSORS
from validated import NAMED, UNNAMED, batch, one, refusal

TEXTS = pa.table({"a": ["x"], "b": ["y"]})
DELTA = {
    "use_dictionary": False,
    "column_encoding": dict.fromkeys(TEXTS.column_names, "DELTA_BYTE_ARRAY"),
}
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


@pytest.mark.parametrize(
    ("body", "media_type", "shown"),
    [
        (b"[[1]]", JSON, "CSV, Parquet, Arrow and npy are taken too"),
        (b"1,2,3", CSV, "A CSV has the columns a, b in its first line, or no names and 2 values"),
        (*columnar_forms.as_npy(np.eye(3)), "Send an array with 2 values in each row, in the"),
        (*columnar_forms.as_parquet(TEXTS, **DELTA), "Send the columns a, b, with one value in"),
        (b'{"inputs": 1}', TENSORS, "or one tensor of the shape [rows, 2], with 2 values in"),
        (
            b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[1]}]}',
            TENSORS,
            "Send one input for each column, called a, b; or",
        ),
    ],
)
def test_it_is_the_form_that_was_sent(body: bytes, media_type: str, shown: str):
    """Who sends a table is not told of JSON."""
    message = columnar_forms.refusal(body, NAMED, media_type).message
    assert shown in message
    assert ('"data"' in message) is (media_type == JSON)


@pytest.mark.parametrize("dtype", ["str", "int64", "float64", "bool"])
def test_the_form_that_an_error_shows_is_taken(dtype: str):
    """It can be copied from the message as it is."""
    message = refusal({"data": {}}, one(dtype)).message
    records, rows = re.findall(r'{"data": .*?]}', message)
    for example in (records, rows):
        assert len(batch(orjson.loads(example), one(dtype)).X) == 2
