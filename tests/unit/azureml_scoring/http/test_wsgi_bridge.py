from typing import Any

from azureml_scoring.http import wsgi_bridge
from azureml_scoring.http.wanted import BEGAN, GONE


def scope(path: str = "/a b", headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    return {
        "method": "POST",
        "path": path,
        "query_string": b"x=1",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("::1", 5001),
        "client": ("10.0.0.1", 4711),
        "headers": headers or [],
        "state": {},
    }


def test_headers_are_where_wsgi_has_them():
    """Headers sent twice are joined, as RFC 9110 says; beyond ASCII they are Latin-1."""
    sent = [
        (b"Content-Type", b"a/b"),
        (b"content-length", b"3"),
        (b"x-request-id", b"\xe9"),
        (b"accept", b"a"),
        (b"Accept", b"b"),
    ]
    environ = wsgi_bridge.environ_of(scope(headers=sent))
    assert environ == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "3",
        "HTTP_X_REQUEST_ID": "é",
        "HTTP_ACCEPT": "a,b",
    }


def test_what_our_worker_knows_of_a_request_is_in_its_environment():
    """When it began, and whether its client has hung up; for Flask too."""
    known = scope() | {"state": {BEGAN: 1.5, GONE: bool, "scoring.other": 1}}
    environ = wsgi_bridge.environ_of(known)
    assert (environ[BEGAN], environ[GONE], "scoring.other" in environ) == (1.5, bool, False)


def test_a_header_that_passes_for_another_is_left_out():
    """A proxy checks only the real one, so every server does this."""
    sent = [
        (b"content-length", b"3"),
        (b"content_length", b"9"),
        (b"x_ms_client_request_id", b"spoof"),
    ]
    environ = wsgi_bridge.environ_of(scope(headers=sent))
    assert environ["CONTENT_LENGTH"] == "3"
    assert "HTTP_X_MS_CLIENT_REQUEST_ID" not in environ


def test_a_path_beyond_ascii_is_as_pep_3333_wants_it():
    """PEP 3333 reads its UTF-8 bytes as Latin-1."""
    assert wsgi_bridge.environ_of(scope("/é"))["PATH_INFO"] == "/Ã©"


def test_an_application_gets_the_body_and_gives_a_response():
    """What it returns is closed, as PEP 3333 demands."""
    seen: dict[str, Any] = {}

    class Parts(list[bytes]):
        def close(self) -> None:
            seen["closed"] = True

    def app(environ: Any, start_response: Any) -> Any:
        seen.update(environ, body=environ["wsgi.input"].read())
        start_response("404 Not Found", [("x", "y")])
        return Parts([b"a", b"b"])

    request = scope()
    assert wsgi_bridge.call(app, request, wsgi_bridge.environ_of(request), b"body") == (
        404,
        [("x", "y")],
        b"ab",
    )
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["closed"]) == (b"body", "4", True)
    assert (seen["REMOTE_ADDR"], seen["SERVER_NAME"], seen["SERVER_PORT"]) == (
        "10.0.0.1",
        "::1",
        "5001",
    )


def test_a_client_that_is_gone_has_no_address():
    """Its request is answered all the same."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [environ["REMOTE_ADDR"].encode()]

    assert wsgi_bridge.call(app, scope() | {"client": None}, {}, b"").status == 200
