import io
import multiprocessing
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_scoring.body_budget import BodyBudget
from azureml_scoring.errors import IncompleteBody, NotAcceptable
from azureml_scoring.http.body_reader import BodyReader
from azureml_scoring.http.request_reader import REQUEST_ID, RequestReader
from azureml_scoring.http.wanted import GONE
from azureml_scoring.inputs.limits import Limits
from azureml_scoring.request import Directive, Request

BODY = BodyReader(Limits(), BodyBudget(10**9))


def read(**environ: str | None) -> Request:
    reader = RequestReader(BODY, now=lambda: 1699564800.123)
    return reader({"REQUEST_METHOD": "POST"} | environ, 0.0)


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
    """RFC 9111's names work in any case, and among others."""
    assert read(HTTP_CACHE_CONTROL=header).cache == directive


def test_the_body_is_read_when_it_is_asked_for():
    """It comes from the server's stream, or as received; or it raises why it was not."""
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "3"}
    reader, stream = RequestReader(BODY), io.BytesIO(b"[1]")
    request = reader(environ | {"wsgi.input": stream}, 0.0)
    assert stream.tell() == 0
    assert request.read() == b"[1]"
    assert reader.received(environ, b"[2]").read() == b"[2]"
    with pytest.raises(IncompleteBody):
        reader.received(environ, IncompleteBody("Short.")).read()


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("application/json", "application/json"),
        ("application/vnd.api+json; charset=utf-8", "application/json"),
        ("text/csv", "text/csv"),
        ("Text/CSV ; charset=utf-8", "text/csv"),
        ("", "application/json"),
    ],
)
def test_a_request_knows_its_media_type(header: str, media_type: str):
    """Whatever the parameters; other types are refused when the body is read."""
    assert read(CONTENT_TYPE=header).media_type == media_type


@pytest.mark.parametrize(
    ("header", "answer_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/csv", "text/csv"),
    ],
)
def test_a_request_knows_the_form_of_its_answer(header: str | None, answer_type: str):
    """JSON, unless the client asks for another form."""
    assert read(HTTP_ACCEPT=header).answer_type == answer_type


def test_a_request_for_an_unknown_form_is_refused():
    """Its body is not read; the answer is JSON."""
    stream = io.BytesIO(b"[1]")
    environ = {"CONTENT_TYPE": "application/json", "HTTP_ACCEPT": "image/png"}
    request = RequestReader(BODY)(environ | {"REQUEST_METHOD": "POST", "wsgi.input": stream}, 0.0)
    with pytest.raises(NotAcceptable):
        request.read()
    assert (stream.tell(), request.answer_type) == (0, "application/json")


def test_a_request_knows_whether_its_client_has_hung_up():
    """As far as the server tells."""
    assert not read().gone()
    reader = RequestReader(BODY)
    assert reader.received({GONE: lambda: True}, b"").gone()


def test_the_clients_id_is_taken_up():
    """x-request-id first, which Azure sets; the client's own beside it."""
    request = read(HTTP_X_REQUEST_ID="azure", HTTP_X_MS_CLIENT_REQUEST_ID="client")
    assert (request.request_id, request.client_request_id) == ("azure", "client")
    assert read(HTTP_X_MS_CLIENT_REQUEST_ID="client").request_id == "client"


@pytest.mark.parametrize("given_id", ["", "a b", 'x" failed in', "1\n2", "ü", "a" * 101])
def test_an_id_that_could_forge_a_log_line_is_replaced(given_id: str):
    """A new id takes its place."""
    assert read(HTTP_X_REQUEST_ID=given_id).request_id == "1699564800123-1"


@given(st.text())
def test_whatever_clients_call_themselves_an_id_is_safe_to_write(sent: str):
    """It can be written into a log line, JSON and headers."""
    request = read(HTTP_X_REQUEST_ID=sent, HTTP_X_MS_CLIENT_REQUEST_ID=sent)
    assert REQUEST_ID.fullmatch(request.request_id)
    assert request.client_request_id in (None, request.request_id)


def test_ids_of_forked_workers_never_meet():
    """Under WORKER_PRELOAD the reader is made before the workers are."""
    master = os.getpid()
    reader = RequestReader(
        BODY, first=lambda: 1 if os.getpid() == master else 2, step=2, now=lambda: 1.0
    )
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: sender.send(reader.new_id()))
    child.start()
    child.join()
    assert receiver.recv() == "1000-2"
    assert reader.new_id() == "1000-1"


def test_ids_of_two_workers_never_meet():
    """Each counts in its own steps."""
    readers = [
        RequestReader(BODY, first=lambda first=first: first, step=2, now=lambda: 1.0)
        for first in (1, 2)
    ]
    ids = [reader.new_id() for reader in readers for _ in range(5)]
    assert len(set(ids)) == 10
    assert all(re.fullmatch(r"1000-\d+", one) for one in ids)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_trace_is_the_callers():
    """It is taken from W3C traceparent, also of a later version."""
    assert read(HTTP_TRACEPARENT=f"00-{TRACE}-00f067aa0ba902b7-01").trace == TRACE
    assert read(HTTP_TRACEPARENT=f"cc-{TRACE}-00f067aa0ba902b7-01-what").trace == TRACE


@given(
    st.none()
    | st.text()
    | st.just(f"ff-{TRACE}-00f067aa0ba902b7-01")
    | st.just(f"00-{'0' * 32}-00f067aa0ba902b7-01")
)
def test_a_bad_traceparent_gives_a_new_trace(header: str | None):
    """There is always a valid id."""
    trace = read(HTTP_TRACEPARENT=header).trace
    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert trace != TRACE
