"""The head of a request, its line and headers: what is refused before anything looks inside.

The parser of our worker takes any length, any number of headers and any version.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from azureml_scoring.errors import ClientError, HeadTooLarge, MalformedHead, ScoringError

LONGEST_HEAD = 65_536
"""Bytes of a request's line and headers together."""

LONGEST_LINE = 8_192
"""Bytes of the request's line, and of each header: about as many as gunicorn's own worker takes."""

MOST_HEADERS = 100
"""As gunicorn's own worker takes."""

LONGEST_LENGTH = 19
"""Digits of a Content-Length. Python refuses to read thousands of them as a number."""

TOO_LARGE = (
    f"The request line and each header may have {LONGEST_LINE:,} bytes, and at most {MOST_HEADERS} "
    f"headers together "
    f"{LONGEST_HEAD:,}; leave out what is not needed."
)

VERSIONS = ("1.0", "1.1")

Headers = Sequence[tuple[bytes, bytes]]
"""Names in any case, and values."""


def refusal(version: str, url: bytes, headers: Headers) -> ClientError | None:
    """Why a head is not taken; None where it is. ``version``: of HTTP, as the request has it."""
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
                length(value.decode("latin-1"))
    except MalformedHead as error:
        return error
    return None


def fits(url: bytes, headers: Headers) -> bool:
    """Whether the request line and the headers are within the limits."""
    sizes = [len(url), *(len(name) + len(value) for name, value in headers)]
    return (
        len(headers) <= MOST_HEADERS and max(sizes) <= LONGEST_LINE and sum(sizes) <= LONGEST_HEAD
    )


def length(told: str | None) -> int:
    """Bytes of a body by its Content-Length; 0 where that is not told. Raises MalformedHead."""
    digits = (told or "0").strip()
    if len(digits) > LONGEST_LENGTH or not (digits.isascii() and digits.isdigit()):
        raise MalformedHead(
            f"Content-Length must be a whole number of at most {LONGEST_LENGTH} digits; send the "
            f"length of the body."
        )
    return int(digits)


def body(error: ScoringError) -> bytes:
    """What the client is told where the service is not asked."""
    return orjson.dumps({"error": error.message, "code": error.code, "status": int(error.status)})
