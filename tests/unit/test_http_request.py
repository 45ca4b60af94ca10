import gzip
import io
import multiprocessing
import os
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import errors
from cache import Directive
from exchange import Request
from http_request import RequestReader
from payload import Limits

JSON = {"CONTENT_TYPE": "application/json"}


SMALL = Limits(max_bytes=100)


def read(body: bytes = b"", limits: Limits = SMALL, **environ: Any) -> Request:
    stream = io.BytesIO(body)
    return RequestReader(limits, now=lambda: 1699564800.123)(
        {"REQUEST_METHOD": "POST", "wsgi.input": stream, "CONTENT_LENGTH": str(len(body))} | environ
    )


def test_the_body_is_read():
    """With its length, or without one as a chunked body comes."""
    assert read(b"[1]", **JSON).read() == b"[1]"
    assert read(b"[1]", **JSON, CONTENT_LENGTH="").read() == b"[1]"


@pytest.mark.parametrize("announced", ["101", "", "1000000000000"])
def test_a_body_over_the_limit_is_refused(announced: str):
    """By what it announces, or by counting what comes."""
    with pytest.raises(errors.PayloadTooLarge):
        read(b"x" * 101, **JSON, CONTENT_LENGTH=announced).read()


def test_a_body_that_breaks_off_is_the_clients_error():
    """A client that goes away is no failure of ours."""
    with pytest.raises(errors.IncompleteBody):
        read(b"[1", **JSON, CONTENT_LENGTH="3").read()

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(errors.IncompleteBody):
        read(**JSON | {"wsgi.input": Broken()}).read()


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
        'application/json; charset="UTF-8"',
    ],
)
def test_json_types_are_taken(kind: str):
    """With parameters, in any case, and the +json family."""
    assert read(b"[1]", CONTENT_TYPE=kind).read() == b"[1]"


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/json; charset=latin-1",
        "x",
        "image/+json",
    ],
)
def test_other_types_are_told_which_header_to_set(kind: str | None):
    """``curl -d`` alone sends a form."""
    with pytest.raises(errors.UnsupportedContentType, match=r"Content-Type: application/json"):
        read(b"[1]", CONTENT_TYPE=kind).read()


def test_gzip_is_unpacked():
    """As the header says."""
    assert read(gzip.compress(b"[1,2]"), **JSON, HTTP_CONTENT_ENCODING="gzip").read() == b"[1,2]"


def test_a_gzip_bomb_is_refused_before_it_grows():
    """The limit counts what comes out."""
    for packed in (gzip.compress(b"0" * 10_000_000)[:100], gzip.compress(b"0" * 101)):
        with pytest.raises(errors.PayloadTooLarge):
            read(packed, **JSON, HTTP_CONTENT_ENCODING="gzip").read()
    assert len(read(gzip.compress(b"0" * 100), **JSON, HTTP_CONTENT_ENCODING="gzip").read()) == 100


@pytest.mark.parametrize(
    "packed", [b"", b"[1]", gzip.compress(b"[1]")[:-3], gzip.compress(b"[1]") + b"x", gzip.compress(b"[1]") * 2]
)
def test_broken_gzip_is_malformed(packed: bytes):
    """Nothing or plain JSON under a gzip header, a truncated body, trailing bytes, a second member."""
    with pytest.raises(errors.MalformedEncoding):
        read(packed, **JSON, HTTP_CONTENT_ENCODING="gzip").read()


def test_other_encodings_are_refused():
    """With the one that may be used."""
    with pytest.raises(errors.UnsupportedContentEncoding, match="gzip"):
        read(b"x", **JSON, HTTP_CONTENT_ENCODING="br").read()


@pytest.mark.parametrize(
    ("header", "directive"),
    [
        (None, Directive()),
        ("max-age=60", Directive()),
        ("no-cache", Directive(look_up=False)),
        ("No-Cache, max-age=0", Directive(look_up=False)),
        ("private,no-store", Directive(look_up=False, store=False)),
        ('x="no-store"', Directive()),
        (",;= ,", Directive()),
    ],
)
def test_cache_control_says_what_the_cache_may_do(header: str | None, directive: Directive):
    """By RFC 9111's names, in any case, among others."""
    assert read(HTTP_CACHE_CONTROL=header).cache == directive


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_scoring_takes_post(method: str):
    """Other methods are refused before anything is read."""
    with pytest.raises(errors.MethodNotAllowed):
        read(b"[1]", **JSON, REQUEST_METHOD=method).read()


def test_the_clients_id_is_taken_up():
    """x-request-id first, which Azure sets; the client's own beside it."""
    request = read(HTTP_X_REQUEST_ID="azure", HTTP_X_MS_CLIENT_REQUEST_ID="client")
    assert (request.request_id, request.client_request_id) == ("azure", "client")
    assert read(HTTP_X_MS_CLIENT_REQUEST_ID="client").request_id == "client"


@pytest.mark.parametrize("given_id", ["", "a b", 'x" failed in', "1\n2", "ü", "a" * 101])
def test_an_id_that_could_forge_a_log_line_is_replaced(given_id: str):
    """By a new one."""
    assert read(HTTP_X_REQUEST_ID=given_id).request_id == "1699564800123-1"


def test_ids_of_forked_workers_never_meet():
    """Under WORKER_PRELOAD the reader is made before the workers are."""
    master = os.getpid()
    reader = RequestReader(Limits(), first=lambda: 1 if os.getpid() == master else 2, step=2, now=lambda: 1.0)
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: sender.send(reader.new_id()))
    child.start()
    child.join()
    assert receiver.recv() == "1000-2"
    assert reader.new_id() == "1000-1"


def test_ids_of_two_workers_never_meet():
    """Each counts in its own steps."""
    readers = [RequestReader(Limits(), first=lambda first=first: first, step=2, now=lambda: 1.0) for first in (1, 2)]
    ids = [reader.new_id() for reader in readers for _ in range(5)]
    assert len(set(ids)) == 10
    assert all(re.fullmatch(r"1000-\d+", one) for one in ids)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_trace_is_the_callers():
    """W3C traceparent, also of a later version."""
    assert read(HTTP_TRACEPARENT=f"00-{TRACE}-00f067aa0ba902b7-01").trace == TRACE
    assert read(HTTP_TRACEPARENT=f"cc-{TRACE}-00f067aa0ba902b7-01-what").trace == TRACE


@given(
    st.none() | st.text() | st.just(f"ff-{TRACE}-00f067aa0ba902b7-01") | st.just(f"00-{'0' * 32}-00f067aa0ba902b7-01")
)
def test_a_bad_traceparent_gives_a_new_trace(header: str | None):
    """An id there is always."""
    trace = read(HTTP_TRACEPARENT=header).trace
    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert trace != TRACE


@given(
    st.dictionaries(st.sampled_from(["CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "HTTP_X_REQUEST_ID"]), st.text()),
    st.binary(),
)
def test_any_headers_and_bytes_give_a_body_or_a_client_error(headers: dict[str, str], body: bytes):
    """Nothing that a client sends raises anything else."""
    try:
        read(body, **JSON | headers).read()
    except errors.ClientError:
        return
