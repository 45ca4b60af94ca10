import contextlib
import functools
import gzip
import io
import time
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring import errors
from azureml_scoring.body_budget import LARGE_BODY_BYTES, BodyBudget
from azureml_scoring.http.body_reader import BodyReader, _media_type
from azureml_scoring.inputs.limits import Limits

BUDGET = BodyBudget(10**6)
JSON = {"CONTENT_TYPE": "application/json"}


def read(body: bytes = b"", **environ: Any) -> bytes:
    """Read a body of at most a hundred bytes."""
    stream = io.BytesIO(body)
    given = {
        "REQUEST_METHOD": "POST",
        "wsgi.input": stream,
        "CONTENT_LENGTH": str(len(body)),
    } | environ
    return BodyReader(Limits(max_bytes=100), BUDGET).read(given)


def test_the_body_is_read():
    """A chunked body comes without a length."""
    assert read(b"[1]", **JSON) == b"[1]"
    assert read(b"[1]", **JSON, CONTENT_LENGTH="") == b"[1]"


@pytest.mark.parametrize("length", ["0" * 5000 + "3", "9" * 5000, "x", "-3", "3,3", "\u0663"])
def test_a_length_that_is_no_number_of_bytes_is_malformed(length: str):
    """It is the client's error, not a failure of ours."""
    with pytest.raises(errors.MalformedHead):
        read(b"[1]", **JSON, CONTENT_LENGTH=length)


@pytest.mark.parametrize("announced", ["101", "", "1000000000000"])
def test_a_body_over_the_limit_is_refused(announced: str):
    """Its Content-Length is checked, and what arrives is counted."""
    with pytest.raises(errors.PayloadTooLarge):
        read(b"x" * 101, **JSON, CONTENT_LENGTH=announced)


def test_a_body_that_breaks_off_is_the_clients_error():
    """A client that goes away is no failure of ours."""
    with pytest.raises(errors.IncompleteBody):
        read(b"[1", **JSON, CONTENT_LENGTH="3")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(errors.IncompleteBody):
        read(**JSON | {"wsgi.input": Broken()})


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
        'application/json; charset="UTF-8"',
        "application/json ;; Charset = utf-8 ;",
        'application/json; profile="a;charset=latin-1\\";charset=latin-1"; charset=utf-8',
        'application/json; unended="; charset=utf-8',
        "application/json; odata.metadata=minimal; IEEE754Compatible",
        "text/csv",
        "Text/CSV; charset=utf-8; header=present",
    ],
)
def test_json_and_csv_are_taken(kind: str):
    """Parameters, any case and the +json family are allowed."""
    assert read(b"[1]", CONTENT_TYPE=kind) == b"[1]"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/json; charset=latin-1",
        "text/csv; charset=latin-1",
        "text/plain",
        "application/json; charset=",
        "application/json; charset*0=;charset=;",
        "application/json; charset*=utf-16''x",
        "application/json; charset*0*=utf-8''latin-1",
        "x",
        "image/+json",
    ],
)
def test_other_types_are_told_which_header_to_set(kind: str | None):
    """``curl -d`` alone sends a form."""
    with pytest.raises(errors.UnsupportedContentType, match=r"Content-Type: application/json"):
        read(b"[1]", CONTENT_TYPE=kind)


@pytest.mark.parametrize(
    "part", [";", '";', '\\";', "; ", "a=b;", "a;", ';a="', "charset*0=a;", " ", "a"]
)
def test_a_long_content_type_takes_no_more_than_its_length(part: str):
    """Eight times as long, some eight times the time; it froze a worker for seconds."""

    def seconds(length: int) -> float:
        kind = 'application/json;x="' + part * (length // len(part))
        parse = functools.partial(_media_type, kind)
        return min(timeit.repeat(parse, number=1, repeat=5, timer=time.thread_time))

    assert seconds(80_000) < 32 * seconds(10_000)


def test_gzip_is_unpacked():
    """A body with Content-Encoding: gzip is the JSON that was packed."""
    assert read(gzip.compress(b"[1,2]"), **JSON, HTTP_CONTENT_ENCODING="gzip") == b"[1,2]"


def test_a_gzip_bomb_is_refused_before_it_grows():
    """The limit counts what comes out."""
    for packed in (gzip.compress(b"0" * 10_000_000)[:100], gzip.compress(b"0" * 101)):
        with pytest.raises(errors.PayloadTooLarge):
            read(packed, **JSON, HTTP_CONTENT_ENCODING="gzip")
    assert len(read(gzip.compress(b"0" * 100), **JSON, HTTP_CONTENT_ENCODING="gzip")) == 100


def test_what_a_large_body_takes_counts_until_its_request_ends():
    """The packed and the unpacked bytes count, and only one body is unpacked at a time."""
    budget, size = BodyBudget(LARGE_BODY_BYTES * 4), LARGE_BODY_BYTES * 3
    reader = BodyReader(Limits(), budget)
    plain = {"REQUEST_METHOD": "POST", **JSON}
    packed = gzip.compress(b" " * size)
    with budget.hold(0.0) as first, budget.hold(0.0) as second:
        assert len(reader.read(plain | {"HTTP_CONTENT_ENCODING": "gzip"}, packed, first)) == size
        with pytest.raises(errors.Overloaded):
            reader.read(plain | {"wsgi.input": io.BytesIO(b" " * size)}, None, second)
        with pytest.raises(errors.DeadlineExceeded):  # the first one's turn has not ended
            reader.read(plain | {"HTTP_CONTENT_ENCODING": "gzip"}, packed, second)
    with budget.hold(0.0) as third:
        assert (
            len(reader.read(plain | {"wsgi.input": io.BytesIO(b" " * size)}, None, third)) == size
        )


@pytest.mark.parametrize("limit", [LARGE_BODY_BYTES - 1, LARGE_BODY_BYTES, LARGE_BODY_BYTES + 1])
@pytest.mark.parametrize("more", [0, 1])
def test_gzip_is_bounded_exactly_at_any_limit(limit: int, more: int):
    """The bound is exact even near the size of the part that is unpacked first."""
    budget = BodyBudget(10**6)
    environ = {"REQUEST_METHOD": "POST", "HTTP_CONTENT_ENCODING": "gzip", **JSON}
    with (
        pytest.raises(errors.PayloadTooLarge) if more else contextlib.nullcontext(),
        budget.hold(0.0) as held,
    ):
        packed = gzip.compress(b" " * (limit + more))
        assert len(BodyReader(Limits(max_bytes=limit), budget).read(environ, packed, held)) == limit


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"[1]",
        gzip.compress(b"[1]", mtime=0)[:-3],
        gzip.compress(b"[1]", mtime=0) + b"x",
        gzip.compress(b"[1]", mtime=0) * 2,
    ],
)
def test_broken_gzip_is_malformed(packed: bytes):
    """Nothing or plain JSON under a gzip header, a truncated body, trailing bytes, a second
    member."""
    with pytest.raises(errors.MalformedEncoding):
        read(packed, **JSON, HTTP_CONTENT_ENCODING="gzip")


def test_other_encodings_are_refused():
    """The answer names the encoding that may be used."""
    with pytest.raises(errors.UnsupportedContentEncoding, match="gzip"):
        read(b"x", **JSON, HTTP_CONTENT_ENCODING="br")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_scoring_takes_post(method: str):
    """Other methods are refused before anything is read."""
    with pytest.raises(errors.MethodNotAllowed):
        read(b"[1]", **JSON, REQUEST_METHOD=method)


@given(
    st.dictionaries(st.sampled_from(["CONTENT_TYPE", "HTTP_CONTENT_ENCODING"]), st.text()),
    st.binary(),
)
def test_any_headers_and_bytes_give_a_body_or_a_client_error(headers: dict[str, str], body: bytes):
    """Nothing that a client sends raises anything else."""
    try:
        read(body, **JSON | headers)
    except errors.ClientError:
        return
