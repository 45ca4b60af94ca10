"""The bounds that hold before a parser makes objects, compared with what the parser sees."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.errors import ClientError, TooDeep, TooManyElements
from azureml_scoring.inputs import body_bounds
from azureml_scoring.inputs.body_bounds import check_bounds, surely_within
from azureml_scoring.inputs.contract import Contract
from azureml_scoring.inputs.feature import Feature
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.inputs.payload import parse
from validated import one

TEXTS = st.text('[]{},"\\é😀a', max_size=8)
JSON = st.recursive(
    st.none() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)
PIECES = st.integers(1, 9) | st.just(body_bounds.PIECE_BYTES)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = body_bounds.PIECE_BYTES
    yield
    body_bounds.PIECE_BYTES = before


def depth_and_parts(value: Any) -> tuple[int, int]:
    """Count depth and parts of a parsed document by walking through it."""
    if not isinstance(value, list | dict):
        return 0, 0
    inner = [
        depth_and_parts(item) for item in (value.values() if isinstance(value, dict) else value)
    ]
    return 1 + max((depth for depth, _ in inner), default=0), 1 + max(len(inner) - 1, 0) + sum(
        parts for _, parts in inner
    )


@given(JSON, PIECES, st.booleans())
def test_depth_and_parts_are_those_of_the_document(document: Any, piece: int, ascii_only: bool):
    """Brackets in strings count for nothing, wherever the pieces of the body end."""
    body_bounds.PIECE_BYTES = piece
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    depth, parts = depth_and_parts(document)
    check_bounds(body, max_depth=depth, max_parts=parts)
    if depth:
        with pytest.raises(TooDeep):
            check_bounds(body, max_depth=depth - 1, max_parts=parts)
        assert not surely_within(body, document, max_depth=depth - 1, max_parts=len(body))
    if parts > 1:
        with pytest.raises(TooManyElements):
            check_bounds(body * 2, max_depth=depth, max_parts=2 * parts - 1)


SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | TEXTS
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.fixed_dictionaries(
        {
            "data": st.lists(
                st.lists(SCALARS, min_size=width, max_size=width), min_size=1, max_size=6
            )
        },
        optional={
            "columns": st.lists(TEXTS, min_size=width, max_size=width, unique=True),
            "index": st.lists(st.lists(TEXTS, max_size=2), max_size=6),
        },
    )
)


@given(TABLES, PIECES)
def test_no_table_within_the_limits_is_refused(table: dict[str, Any], piece: int):
    """Each limit may be exactly what the table has, with an index of two levels beside it."""
    body_bounds.PIECE_BYTES = piece
    rows = table["data"]
    limits = Limits(
        max_depth=4, max_elements=sum(map(len, rows)), max_rows=len(rows), max_features=len(rows[0])
    )
    names = table.get("columns", [None] * len(rows[0]))
    contract = Contract(tuple(map(Feature, names)), ("predict",))
    parse(orjson.dumps({"input_data": table}), contract, limits)


@pytest.mark.parametrize("inner", [b"[]", b"{}", b'""', b"1", b'{"":[]}', b'"\\""', b"[1,2,3]"])
def test_millions_of_values_are_refused_before_they_are_objects(
    inner: bytes, monkeypatch: pytest.MonkeyPatch
):
    """Each takes a few bytes of a body and fifty or more as an object; no parser sees them."""
    monkeypatch.setattr(orjson, "loads", lambda body: pytest.fail("it was parsed"))
    body = b'{"data":[' + b",".join([inner] * 400_000) + b"]}"
    with pytest.raises(TooManyElements, match="send its rows in several requests"):
        parse(body, one("str"), Limits())


@given(st.lists(JSON, min_size=3), st.sampled_from(["data", "input_data"]))
def test_no_rows_hide_how_deep_one_of_them_is(rows: list[Any], key: str):
    """Rows side by side go no deeper than the deepest."""
    document = {key: rows}
    depth, _ = depth_and_parts(document)
    body = json.dumps(document).encode()
    assert not surely_within(body, document, max_depth=depth - 1, max_parts=len(body))


def test_a_thousand_rows_are_within_the_bounds_at_a_glance():
    """Rows, records and columns of numbers, whatever stands around them."""
    for data in ([[1, 2]] * 1_000, [{"a": 1, "b": 2}] * 1_000, {str(n): [1] for n in range(1_000)}):
        for document in (data, {"data": data}, {"input_data": {"data": data, "index": [1]}}):
            body = json.dumps(document).encode()
            assert surely_within(body, document, max_depth=8, max_parts=len(body))


@pytest.mark.parametrize(("opening", "closing"), [('["]",', "]"), ('{"}":"}","":', "}")])
def test_a_bracket_in_a_text_closes_nothing(opening: str, closing: str):
    """Texts of brackets can't hide how deep a small body is nested."""
    body = (opening * 40 + "1" + closing * 40).encode()
    check_bounds(body, max_depth=40, max_parts=1_000)
    assert not surely_within(body, json.loads(body), max_depth=39, max_parts=1_000)
    with pytest.raises(TooDeep):
        check_bounds(body, max_depth=39, max_parts=1_000)


def test_a_text_of_brackets_and_commas_is_one_value():
    """It may have any length: an address or a source file may be a feature."""
    text = '[{",\\' * 400_000
    table, _ = parse(orjson.dumps([[text]]), one("str"), Limits())
    assert table.values == [(text,)]


@given(st.binary(max_size=40) | st.text('[]{}",\\1:', max_size=40).map(str.encode), PIECES)
def test_what_is_no_json_is_told_by_the_parser(body: bytes, piece: int):
    """Any bytes pass or are refused; nothing else is raised."""
    body_bounds.PIECE_BYTES = piece
    with contextlib.suppress(ClientError):
        check_bounds(body, max_depth=3, max_parts=9)
