"""A key that an object has twice is refused."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.inputs import unique_keys
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from validated import NAMED
from validation import validate

TEXTS = Contract((Feature("a", "str"), Feature("b", "str")), ("predict",))


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b'[{"a": 1, "b": 2, "a": 3}]', "/0"),
        (b'[{"a": 1, "b": 2}, {"a": 1, "b": 2, "\\u0061": 1}]', "/1"),
        (b'{"data": {"a" :1, "b":2, "b" : 3}}', "/data"),
        (b'{"data": {"a": [1], "b": [2], "a": [3]}}', "/data"),
        (b'{"data": [{"a": 1, "b": 2}], "data": [{"a": 1, "b": 2}]}', ""),
        (b'{"inputs": {"a": 1, "b": 2}, "params": {"method": "predict", "method": "x"}}', ""),
        (b'[{"a": 1, "b": 2, "more": {"c": 1, "c": 2}}]', "/0"),
        (b'{"Inputs": {"data": [{"a": 1, "b": 2, "id": ":", "b": 2}]}}', "/Inputs/data/0"),
        (b'{"data": [[1, 2]], "data": [[3, 4]]}', ""),
        (b'{"data": [[1, 2]], "method": "predict", "method": "predict_proba"}', ""),
        (b'{"data": [[1, 2]], "params": {"method": "x"}, "params": {}}', ""),
        (b'{"columns": ["b", "a"], "columns": ["a", "b"], "data": [[1, 2]]}', ""),
        (b'{"input_data": {"data": [[1, 2]], "data": [[3, 4]]}}', "/input_data"),
        (b'{"input_data": {"data": [[1, 2]], "index": [0], "index": [{":": 1}]}}', "/input_data"),
    ],
)
def test_the_object_with_a_key_twice_is_named(body: bytes, location: str):
    """No name of the request is in the pointer."""
    with pytest.raises(errors.WrongFeatures, match="more than once") as caught:
        validate(body, NAMED, Limits())
    assert caught.value.location == location


@given(st.lists(st.text('":\\ax,{}', max_size=6), min_size=2, max_size=2), st.integers(0, 3))
def test_texts_with_colons_and_quotes_are_no_keys(values: list[str], indent: int):
    """Whatever a text holds, its object has each key once."""
    record = dict(zip("ab", values, strict=True))
    for document in ([record], [{"nested": {"c": {}, "d": [{"c": 1}]}} | record]):
        body = json.dumps(document, indent=indent or None).encode()
        assert validate(body, TEXTS, Limits()).X.tolist() == [values]


@pytest.mark.parametrize("index", [[0], [{"a": {}}]])
def test_rows_may_hold_colons(index: list[object]):
    """Those of times and of texts are not counted as keys."""
    rows = [["12:30", '{"a": 1, "a": 2}'], ["\\", '":']]
    body = orjson.dumps({"input_data": {"data": rows, "index": index}, "method": "predict"})
    assert validate(body, TEXTS, Limits()).X.tolist() == rows


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the bodies that Python's own parser reads, which holds up the event loop."""
    lengths: list[int] = []

    class Counting:
        @staticmethod
        def loads(body: bytes, **options: Any) -> Any:
            lengths.append(len(body))
            return json.loads(body, **options)

    monkeypatch.setattr(unique_keys, "json", Counting)
    return lengths


def test_unknown_keys_are_counted_without_a_second_parser(parsed: list[int]):
    """However many there are, and however deep."""
    nested: dict[str, Any] = {"": [{"": {}, ":": [[], {}]}] * 50}
    record = {"a": 1, "b": 2, "more": nested, "rest": dict.fromkeys(map(str, range(100)), nested)}
    body = orjson.dumps({"data": [record], "params": {}})
    assert validate(body, NAMED, Limits(max_elements=10**6)).X.tolist() == [[1.0, 2.0]]
    assert parsed == []


def test_a_large_body_is_refused_without_a_second_parser(parsed: list[int]):
    """The place of the object is then not named."""
    twice = b'{"a": 1, "b": 2, "a": 3}'
    for count, location, parses in ((1, "/1", 1), (5_000, "", 0)):
        parsed.clear()
        body = b'[{"a": 1, "b": 2, "more": [' + b"{}," * count + b"{}]}," + twice + b"]"
        with pytest.raises(errors.WrongFeatures, match="more than once") as caught:
            validate(body, NAMED, Limits())
        assert caught.value.location == location
        assert len(parsed) == parses
