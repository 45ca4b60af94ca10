"""ASGI's request as WSGI's: the environment that our code reads headers from, and a call of a WSGI
application."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterable
from typing import Any

from azureml_scoring.errors import ScoringError
from azureml_scoring.http import head
from azureml_scoring.http.lean_lane import Response, Wsgi


def environ_of(scope: dict[str, Any]) -> dict[str, Any]:
    """As much of PEP 3333's as the lean lane asks for."""
    return environ(scope["method"], scope["path"].encode().decode("latin-1"), scope["headers"])


def environ(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """``path`` as PEP 3333 has it."""
    found = {"REQUEST_METHOD": method, "PATH_INFO": path}
    for name, value in headers:
        key = _key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        found[key] = text if key not in found else f"{found[key]},{text}"
    return found


@functools.lru_cache(maxsize=256)
def _key(header: bytes) -> str | None:
    """None for one that would pass for another, as ``Content_Length``."""
    if b"_" in header:
        return None
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def call(
    app: Wsgi, scope: dict[str, Any], environ: dict[str, Any], body: bytes | ScoringError
) -> Response:
    """With the body that was read, or the error of reading it."""
    if isinstance(body, ScoringError):
        return refusal(body)
    (host, port), (client, _) = scope["server"], scope["client"] or ("", 0)  # it may be gone
    full = environ | {
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": client,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(body),
        "wsgi.multiprocess": True,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.version": (1, 0),
    }
    started: list[Any] = []
    parts = app(full, lambda *given: started.extend(given))
    try:
        answer = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[:2]
    return Response(int(status.split()[0]), headers, answer)


def refusal(error: ScoringError) -> Response:
    """Where neither the service nor the application is asked."""
    body = head.body(error)
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **error.headers,
    }
    return Response(int(error.status), [*headers.items()], body)
