"""Until when the answer to a request is wanted, and whether anybody still waits for it.

A client that has closed its connection looks like one that only sends no more, and that one still
reads its answer. They differ once they are sent something: then the kernel of the first resets the
connection. So both are sent an interim response, which clients skip (RFC 9110, 15.2).
"""

from __future__ import annotations

import functools
import re
import select
import socket
from typing import Any

from azureml_scoring.http.body_reader import Environ
from azureml_scoring.request import Gone, still_there

BEGAN = "scoring.began"
"""Key in the ``state`` of a request's scope, and in its environ: when its first byte came, by the
monotonic clock."""

DUE = "scoring.due"
"""Key in the ``state`` of a request's scope: its deadline, if it was admitted at its head."""

GONE = "scoring.gone"
"""Key in the same places as ``BEGAN``: the ``Gone`` of the request."""

HEADERS = ("HTTP_X_REQUEST_TIMEOUT_MS", "HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS")
"""For how many milliseconds the caller waits; the second is Envoy's."""

MILLISECONDS = re.compile(r"[0-9]{1,9}")

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"

RESET_TIMEOUT_MS = 5
"""How long a slot waits for the reset: longer than a round trip in one region takes."""


def wanted_for_s(environ: Environ) -> float | None:
    """Return for how many seconds the caller waits, or None if no header says so in a form that is
    understood."""
    values = [environ[name].strip() for name in HEADERS if name in environ]
    if not values:
        return None
    times = [int(value) for value in values if MILLISECONDS.fullmatch(value)]
    return min((time / 1000 for time in times if time), default=None)


def gone_of(environ: Environ) -> Gone:
    """Return how to know that the client has hung up."""
    connection = environ.get("gunicorn.socket")
    if type(connection) is socket.socket and environ["SERVER_PROTOCOL"] != "HTTP/1.0":
        return functools.partial(has_closed, connection)  # without TLS
    gone: Gone = environ.get(GONE, still_there)
    return gone


def is_reset(connection: Any) -> bool:
    """Return True if the connection is closed on both sides. ``connection``: has a ``fileno``; None
    if we have closed it."""
    try:
        return connection is None or bool(_ends(connection).poll(0))
    except ValueError:  # closed just now
        return True


def has_closed(connection: socket.socket) -> bool:
    """Return True if the client has closed the connection, for a thread that alone uses it."""
    try:
        if connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
            return False
        connection.send(INTERIM, socket.MSG_DONTWAIT)
        return bool(_ends(connection).poll(RESET_TIMEOUT_MS))
    except BlockingIOError:  # nothing to read: it waits for its answer
        return False
    except (OSError, ValueError):  # reset, or closed by us just now
        return True


def _ends(connection: Any) -> select.poll:
    """Return a poll for the end of both sides alone."""
    ends = select.poll()
    ends.register(connection, 0)
    return ends
