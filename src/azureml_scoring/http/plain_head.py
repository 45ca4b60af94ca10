"""Tells plain heads, which the express lane takes, from others, which uvicorn's way looks at more
closely."""

from __future__ import annotations

from azureml_scoring.http.body_reader import Environ
from azureml_scoring.http.endpoint import is_unusual
from azureml_scoring.http.head import MAX_HEADERS, MAX_LENGTH_DIGITS, VERSIONS, Headers

NOT_PLAIN = frozenset(
    ("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE")
)
"""A head with one of these headers is not plain."""


def is_plain(environ: Environ, fields: Headers, version: str) -> bool:
    """``version``: of HTTP, as the request names it. ``fields``: its headers."""
    return (
        NOT_PLAIN.isdisjoint(environ)
        and "," not in environ.get("HTTP_HOST", ",")
        and len(environ.get("CONTENT_LENGTH", "")) <= MAX_LENGTH_DIGITS
        and len(fields) <= MAX_HEADERS
        and version in VERSIONS
        and not is_unusual(environ)
    )
