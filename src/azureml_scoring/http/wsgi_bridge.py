"""Translates ASGI to WSGI: the environment that holds the headers, and a call of Flask."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.response import Response
from azureml_scoring.http.wanted import BEGAN, GONE

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def environ_of(scope: dict[str, Any]) -> dict[str, Any]:
    """Return as much of PEP 3333's environment as ``ScoringEndpoint`` reads, and what our worker
    knows of the request."""
    path, state = scope["path"].encode().decode("latin-1"), scope["state"]
    known = {key: state[key] for key in (BEGAN, GONE) if key in state}
    return environ(scope["method"], path, scope["headers"]) | known


def environ(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    """``path``: its UTF-8 bytes read as Latin-1, as PEP 3333 has it."""
    values = {"REQUEST_METHOD": method, "PATH_INFO": path}
    for name, value in headers:
        key = _key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        values[key] = text if key not in values else f"{values[key]},{text}"
    return values


@functools.lru_cache(maxsize=256)
def _key(header: bytes) -> str | None:
    """Return None for a header that would pass for another, such as ``Content_Length``."""
    if b"_" in header:
        return None
    name = header.decode("latin-1").upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"


def call(app: Wsgi, scope: dict[str, Any], environ: Environ, body: bytes) -> Response:
    """Call the WSGI application with a body that was read."""
    (host, port), (client, _) = scope["server"], scope["client"] or ("", 0)  # None once it is gone
    full = {
        **environ,
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
    parts = app(full, lambda *arguments: started.extend(arguments))
    try:
        answer = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, headers = started[:2]
    return Response(int(status.split()[0]), headers, answer)
