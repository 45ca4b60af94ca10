import contextlib
import socket
from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azureml_scoring.http.wanted import INTERIM, gone_of, has_closed, is_reset, wanted_for_s

PATIENCE = 60.0


@pytest.mark.parametrize(
    ("ours", "envoys", "seconds"),
    [
        (None, None, None),
        ("1500", None, 1.5),
        (None, " 250 ", 0.25),
        ("1500", "250", 0.25),
        ("250", "1500", 0.25),
        ("999999999", None, 999999.999),
        ("1000000000", None, None),
        ("0", None, None),
        ("0", "250", 0.25),
        ("-5", "1e3", None),
        ("1500,1500", "², ", None),
    ],
)
def test_the_shorter_of_two_headers_says_how_long_the_caller_waits(
    ours: str | None, envoys: str | None, seconds: float | None
):
    """What is not a positive whole number of at most 9 digits is ignored."""
    headers = {"HTTP_X_REQUEST_TIMEOUT_MS": ours, "HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS": envoys}
    assert wanted_for_s({name: text for name, text in headers.items() if text}) == seconds


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_makes_a_request_fail(value: str):
    """Whatever a caller sends is a time above 0, or ignored."""
    seconds = wanted_for_s({"HTTP_X_REQUEST_TIMEOUT_MS": value})
    assert seconds is None or seconds > 0


@contextlib.contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield both ends of a connection, the server's first."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), PATIENCE) as client,
        listener.accept()[0] as server,
    ):
        yield server, client


def test_a_client_that_waits_for_its_answer_has_not_hung_up():
    """Nor has one that has sent its next request already."""
    with connected() as (server, client):
        assert not has_closed(server)
        client.sendall(b"POST")
        assert select_readable(server)
        assert not has_closed(server)
        assert server.recv(9) == b"POST"


def test_a_client_that_closed_its_connection_has_hung_up():
    """It resets the connection once it is sent something."""
    with connected() as (server, client):
        client.close()
        assert select_readable(server)
        assert has_closed(server)
        assert is_reset(server)
        assert has_closed(server)


def test_a_client_that_only_sends_no_more_still_reads_its_answer():
    """It is asked by an interim response."""
    with connected() as (server, client):
        client.shutdown(socket.SHUT_WR)
        assert select_readable(server)
        assert not has_closed(server)
        assert not is_reset(server)
        server.sendall(b"answer")
        server.close()
        assert client.makefile("rb").read() == INTERIM + b"answer"


def test_a_connection_that_we_have_closed_is_reset():
    """Its client can't be answered any more."""
    with connected() as (server, _):
        server.close()
        assert is_reset(server)
    assert is_reset(None)


def test_a_connection_that_we_close_while_its_client_is_asked_is_closed():
    """A request of the same joint batch asks; the connection's own thread may have given up."""
    connection = mock.Mock(recv=lambda *_: b"", send=lambda *_: 1, fileno=lambda: -1)
    assert has_closed(connection)


def test_a_client_of_http_1_0_is_not_asked():
    """It would take an interim response for its answer."""
    with connected() as (server, client):
        client.close()
        assert select_readable(server)
        environ = {"gunicorn.socket": server, "SERVER_PROTOCOL": "HTTP/1.1"}
        assert not gone_of(environ | {"SERVER_PROTOCOL": "HTTP/1.0"})()
        assert gone_of(environ)()


def select_readable(server: socket.socket) -> bytes:
    """Wait for something to read, or the end."""
    server.settimeout(PATIENCE)
    with contextlib.suppress(ConnectionError):
        server.recv(1, socket.MSG_PEEK)
    server.settimeout(None)
    return b"."
