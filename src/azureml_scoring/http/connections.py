"""Bounds the connections of a worker, and ends one for a new one, so that a probe gets through.

Each connection costs one of the files that the process may open. Clients that neither send nor read
must not take them all.
"""

from __future__ import annotations

import os
import resource
from typing import Protocol, cast

from uvicorn.server import ServerState

MAX_CONNECTIONS = 1_000
"""As many as gunicorn's own worker takes."""

PROBE_CONNECTIONS = 16
"""Further connections, for probes, while a worker computes for each of the others."""

WANTED_FILES = 4_096
"""How many files a worker asks to be allowed to open."""

WRITE_TIMEOUT_S = 30.0
"""A connection ends when its client has read none of its answers for so long."""

LINGER_S = 2.0
"""How long a connection is still read after our last answer. While a worker stops: how long a
client may take to read, and to send the request for which it connected."""


class Connection(Protocol):
    def standing(self) -> tuple[bool, float] | None:
        """Return True if its client holds up a request, False if the connection is idle, and since
        when; None if an answer is due, or the connection has ended."""

    def evict(self) -> None:
        """End the connection, to make room for another."""


class Connections(ServerState):
    """uvicorn's state of a server. ``draining``: each answer is the last of its connection.
    ``stopping``: no new connections are accepted."""

    def __init__(self, max_connections: int = MAX_CONNECTIONS) -> None:
        super().__init__()
        self.max_connections = max_connections
        self.draining = self.stopping = False

    @property
    def write_timeout_s(self) -> float:
        return LINGER_S if self.stopping else WRITE_TIMEOUT_S

    def make_room(self, newest: Connection) -> None:
        """End one connection if there are too many.

        This is the one that is idle longest; if none is idle, the one whose client holds up its
        request longest; if none does, the newest, once the places for probes are taken too.
        """
        if len(self.connections) <= self.max_connections:
            return
        others = (cast(Connection, other) for other in self.connections if other is not newest)
        evictable = [(place, id(other), other) for other in others if (place := other.standing())]
        if evictable:
            _, _, idlest = min(evictable)
            idlest.evict()
        elif len(self.connections) > self.max_connections + PROBE_CONNECTIONS:
            newest.evict()


def allowed() -> int:
    """Return how many connections a worker may hold, after raising its limit of open files as far
    as it needs and may.

    A quarter of the files that are left is kept for everything else that the worker opens.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = WANTED_FILES if hard == unlimited else min(WANTED_FILES, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = WANTED_FILES if soft == unlimited else soft
    return max(1, min(MAX_CONNECTIONS, (files - len(os.listdir("/dev/fd"))) * 3 // 4))
