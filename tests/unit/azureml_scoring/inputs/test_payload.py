import codecs

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.inputs import payload
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.table import Table
from validated import NAMED

LIMITS = Limits()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def parse(body: bytes, limits: Limits) -> Table:
    """Parse a body for a model with two columns."""
    return payload.parse(body, NAMED, limits)[0]


def refusal(body: object, limits: Limits = LIMITS) -> tuple[type, str | None]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    with pytest.raises(errors.ClientError) as caught:
        parse(raw, limits)
    return type(caught.value), caught.value.location


@pytest.mark.parametrize(
    ("body", "rows", "pointer"),
    [
        ({"data": [[1, 2], [3, 4]]}, [[1, 2], [3, 4]], "/data/0/1"),
        ({"data": [1, 2]}, [[1, 2]], "/data/1"),
        ([[1, 2]], [[1, 2]], "/0/1"),
        ([1, 2], [[1, 2]], "/1"),
        ({"input_data": [[1, 2]]}, [[1, 2]], "/input_data/0/1"),
        (
            {"input_data": {"columns": ["a", "b"], "index": [7], "data": [[1, 2]]}},
            [[1, 2]],
            "/input_data/data/0/1",
        ),
        ({"columns": ["b", "a"], "index": [7], "data": [[2, 1]]}, [[1, 2]], "/data/0/0"),
        ({"data": [[1, 2]], "index": [7], "method": "predict"}, [[1, 2]], "/data/0/1"),
    ],
)
def test_each_form_gives_its_rows(body: object, rows: object, pointer: str):
    """Rows, one flat row, a bare list, and a DataFrame as pandas splits it are all accepted; a BOM
    is ignored."""
    for mark in (b"", codecs.BOM_UTF8):
        table = parse(mark + orjson.dumps(body), LIMITS)
        assert list(map(list, zip(*table.values, strict=True))) == rows
        assert table.location(0, 1) == pointer


@pytest.mark.parametrize(
    ("body", "error", "location"),
    [
        (b"", errors.EmptyBody, ""),
        (b" \n", errors.EmptyBody, ""),
        (codecs.BOM_UTF8, errors.EmptyBody, ""),
        (codecs.BOM_UTF8 * 2 + b"[1]", errors.MalformedJson, ""),
        (codecs.BOM_UTF16 + b"[1]", errors.MalformedJson, ""),
        (b"null", errors.EmptyBody, ""),
        (b'{"data": [[1,]]}', errors.MalformedJson, ""),
        (b'{"data": [[NaN]]}', errors.MalformedJson, ""),
        (b'{"data": [[1e999]]}', errors.MalformedJson, ""),
        (b"\xff\xfe", errors.MalformedJson, ""),
        ("text", errors.UnknownForm, ""),
        (5, errors.UnknownForm, ""),
        ({}, errors.UnknownForm, ""),
        ({"data": [[1]], "input_data": [[1]]}, errors.UnknownForm, ""),
        ({"data": [[1]], "methods": "predict"}, errors.UnknownForm, ""),
        ({"data": [[1]], "names": ["a"]}, errors.UnknownForm, ""),
        ({"input_data": [[1]], "columns": ["a"]}, errors.UnknownForm, ""),
        ({"input_data": {"data": [[1]], "method": "predict"}}, errors.UnknownForm, "/input_data"),
        ({"columns": "a", "data": [[1]]}, errors.WrongType, "/columns"),
        ({"columns": ["a"], "data": [[1], [2, 3]]}, errors.WrongShape, "/data/1"),
        ({"input_data": {"columns": ["a"]}}, errors.UnknownForm, "/input_data"),
        ({"input_data": {"columns": "a", "data": [[1]]}}, errors.WrongType, "/input_data/columns"),
        ({"input_data": {"columns": [[]], "data": [[1]]}}, errors.WrongType, "/input_data/columns"),
        ({"data": "text"}, errors.WrongShape, "/data"),
        ({"data": {}}, errors.WrongShape, "/data"),
        ({"data": []}, errors.EmptyBatch, "/data"),
        ({"data": [[1], 2]}, errors.WrongShape, "/data/1"),
        ({"data": [[1, 2], [3]]}, errors.WrongShape, "/data/1"),
        ({"data": [[1, [2]]]}, errors.WrongShape, "/data/0/1"),
        ({"data": [1, {}]}, errors.WrongShape, "/data/1"),
        (
            {"input_data": {"columns": ["a", "b"], "data": [[1]]}},
            errors.WrongShape,
            "/input_data/data/0",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(body: object, error: type, location: str):
    """Each mistake has an error of its own, and a JSON pointer to where it is."""
    assert refusal(body) == (error, location)


@pytest.mark.parametrize(
    ("limits", "body", "error"),
    [
        (Limits(max_bytes=10), {"data": [[1, 2, 3]]}, errors.PayloadTooLarge),
        (Limits(max_depth=3), {"data": [[[1]]]}, errors.TooDeep),
        (Limits(max_elements=5), {"data": [[1, 2, 3]] * 2}, errors.TooManyElements),
        (Limits(max_rows=1), {"data": [[1]] * 2}, errors.TooManyRows),
        (Limits(max_features=2), {"data": [[1, 2, 3]]}, errors.TooManyFeatures),
        (
            Limits(max_features=2),
            {"input_data": {"columns": [0, 1, 2], "data": []}},
            errors.TooManyFeatures,
        ),
    ],
)
def test_each_limit_is_kept(limits: Limits, body: object, error: type):
    """What is at the limit passes, what is past it is refused."""
    assert refusal(body, limits)[0] is error


def test_what_is_at_the_limits_passes():
    """A limit is the most that is allowed."""
    body = orjson.dumps({"data": [[1, 2], [3, 4]]})
    parse(
        body, Limits(max_bytes=len(body), max_depth=3, max_elements=4, max_rows=2, max_features=2)
    )


def test_limits_are_checked_in_the_documented_order():
    """The error for a request that breaks all limits names bytes first, then depth, dimensions,
    elements, rows, features."""
    body, order = {"data": [[1] * 3, [1] * 3, [[[1]], 1, 1]]}, []
    limits = {"max_bytes": 1, "max_depth": 4, "max_elements": 5, "max_rows": 1, "max_features": 2}
    for limit in limits:
        order.append(refusal(body, Limits(**limits))[0])
        limits[limit] = 10**6
        if limit == "max_depth":
            order.append(refusal(body, Limits(**limits))[0])
            body["data"][2][0] = 1
    assert order == [
        errors.PayloadTooLarge,
        errors.TooDeep,
        errors.WrongShape,
        errors.TooManyElements,
        errors.TooManyRows,
        errors.TooManyFeatures,
    ]


def test_the_guides_messages_are_word_for_word():
    """Clients that match on the guide's texts still can."""
    with pytest.raises(errors.TooManyElements) as caught:
        parse(orjson.dumps([[0] * 150_000]), LIMITS)
    assert (
        caught.value.message == "Input array too large: 150000 elements. Maximum 100,000 allowed."
    )
    with pytest.raises(errors.PayloadTooLarge) as caught_bytes:
        parse(b" " * 10_000_001, LIMITS)
    assert caught_bytes.value.message == "Request payload too large (>10MB)"
    with pytest.raises(errors.EmptyBody) as caught_empty:
        parse(b"null", LIMITS)
    assert caught_empty.value.message == "Request body is empty or None"


@pytest.mark.parametrize("depth", [33, 1_500, 1_000_000])
def test_nesting_never_exhausts_the_stack(depth: int):
    """A megabyte of brackets is refused like 33 of them, before it is parsed."""
    assert refusal(b"[" * depth + b"]" * depth)[0] is errors.TooDeep


@given(JSON)
def test_depth_counts_brackets_outside_of_strings(document: object):
    """The depth that is limited is that of the parsed document."""

    def depth(value: object) -> int:
        if isinstance(value, list | dict):
            return 1 + max(
                map(depth, value.values() if isinstance(value, dict) else value), default=0
            )
        return 0

    limit = max(depth(document), 1)
    body = orjson.dumps(document)
    try:
        parse(body, Limits(max_depth=limit))
    except errors.ClientError as error:
        assert not isinstance(error, errors.TooDeep)  # noqa: PT017 others are fine
    if depth(document) > 1:
        assert refusal(body, Limits(max_depth=limit - 1))[0] is errors.TooDeep


@given(st.binary(max_size=60) | JSON.map(orjson.dumps))
@example(b'{"data":[["\\\\"]],"data":"\\""}')
@example(b'["\\"[[[["]')
def test_any_bytes_give_a_table_or_a_client_error(body: bytes):
    """Nothing that a client sends raises anything else."""
    try:
        table = parse(body, Limits(max_depth=8))
    except errors.ClientError:
        return
    assert len(table.values) == len(table.types) == 2
