from types import SimpleNamespace
from typing import Any

import pytest

import wsgi_bridge
from errors import BodyTimeout


def scope(path: str = "/a b", headers: list[tuple[str, str]] | None = None) -> Any:
    pairs = headers or []
    return SimpleNamespace(
        method="POST", path=path, query_string="x=1", http_version="1.1", scheme="http", server="[::1]:5001",
        client="10.0.0.1:4711", headers=SimpleNamespace(items=lambda: pairs),
    )  # fmt: skip


def test_headers_are_where_wsgi_has_them():
    """Those sent twice are joined, as RFC 9110 has it."""
    sent = [("content-type", "a/b"), ("content-length", "3"), ("x-request-id", "1"), ("accept", "a"), ("accept", "b")]
    environ = wsgi_bridge.environ_of(scope(headers=sent))
    assert environ == {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/a b", "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "3",
        "HTTP_X_REQUEST_ID": "1", "HTTP_ACCEPT": "a,b",
    }  # fmt: skip


def test_a_header_that_passes_for_another_is_left_out():
    """As every other server does: a proxy takes care of the real one only."""
    sent = [("content-length", "3"), ("content_length", "9"), ("x_ms_client_request_id", "spoof")]
    environ = wsgi_bridge.environ_of(scope(headers=sent))
    assert environ["CONTENT_LENGTH"] == "3"
    assert "HTTP_X_MS_CLIENT_REQUEST_ID" not in environ


def test_a_path_beyond_ascii_is_as_pep_3333_wants_it():
    """Its UTF-8 bytes, read as Latin-1."""
    assert wsgi_bridge.environ_of(scope("/é"))["PATH_INFO"] == "/Ã©"


def test_an_application_gets_the_body_and_gives_a_response():
    """And what it returned is closed, as PEP 3333 wants it."""
    seen: dict[str, Any] = {}

    class Parts(list[bytes]):
        def close(self) -> None:
            seen["closed"] = True

    def app(environ: Any, start_response: Any) -> Any:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("404 Not Found", [("x", "y")])
        return Parts([b"a", b"b"])

    request = scope()
    assert wsgi_bridge.call(app, request, wsgi_bridge.environ_of(request), b"body") == (404, [("x", "y")], b"ab")
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["closed"]) == (b"body", "4", True)
    assert (seen["REMOTE_ADDR"], seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("10.0.0.1", "[::1]", "5001")


def test_a_body_that_did_not_come_is_answered_here():
    """The application would wait for it."""
    answer = wsgi_bridge.call(pytest.fail, scope(), {}, BodyTimeout("Too slow.", ""))
    assert (answer.status, answer.body) == (408, b'{"message":"Too slow."}')
