"""Checks the head of a request, its line and headers, before anything else uses it.

The parser of our worker takes any length, any number of headers and any version.
"""

from __future__ import annotations

from collections.abc import Sequence

from azureml_scoring.errors import ClientError, HeadTooLarge, MalformedHead

MAX_HEAD_BYTES = 65_536
"""Bytes of a request's line and headers together."""

MAX_LINE_BYTES = 8_192
"""Bytes of the request's line, and of each header: about as many as gunicorn's own worker takes."""

MAX_HEADERS = 100
"""As many as gunicorn's own worker takes."""

MAX_LENGTH_DIGITS = 19
"""Digits of a Content-Length. Python refuses to read thousands of them as a number."""

TOO_LARGE = (
    f"The request line and each header may have {MAX_LINE_BYTES:,} bytes, and at most "
    f"{MAX_HEADERS} headers together {MAX_HEAD_BYTES:,}; leave out what is not needed."
)

VERSIONS = ("1.0", "1.1")

Headers = Sequence[tuple[bytes, bytes]]
"""Names, in any case, and values."""


def error(version: str, url: bytes, headers: Headers) -> ClientError | None:
    """Return why a head is refused, or None. ``version``: of HTTP, as the request names it."""
    if not fits(url, headers):
        return HeadTooLarge(TOO_LARGE)
    if version not in VERSIONS:
        return MalformedHead("The request names another version of HTTP; send it in HTTP/1.1.")
    hosts = sum(name.lower() == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return MalformedHead("A request in HTTP/1.1 has exactly one Host header; send one.")
    try:
        for name, value in headers:
            if name.lower() == b"content-length":
                content_length(value.decode("latin-1"))
    except MalformedHead as malformed:
        return malformed
    return None


def fits(url: bytes, headers: Headers) -> bool:
    """Return True if the request line and the headers are within the limits."""
    sizes = [len(url), *(len(name) + len(value) for name, value in headers)]
    return (
        len(headers) <= MAX_HEADERS
        and max(sizes) <= MAX_LINE_BYTES
        and sum(sizes) <= MAX_HEAD_BYTES
    )


def content_length(header: str | None) -> int:
    """Return a Content-Length in bytes; 0 if there is none. Raises MalformedHead."""
    digits = (header or "0").strip()
    if len(digits) > MAX_LENGTH_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise MalformedHead(
            f"Content-Length must be a whole number of at most {MAX_LENGTH_DIGITS} digits; send "
            "the length of the body."
        )
    return int(digits)
