"""The connections of a worker: how many it takes, and which one ends for a new one: a probe always
gets through.

A connection costs one of the files that the process may open. Clients that neither speak nor read
must not take all.
"""

from __future__ import annotations

import os
import resource
from typing import Protocol, cast

from uvicorn.server import ServerState

MAX_CONNECTIONS = 1_000
"""Of a worker, as of gunicorn's."""

KEPT = 16
"""Connections beyond, for probes, while a worker computes for each of the others."""

FILES = 4_096
"""How many a worker asks to be allowed to open, where it may ask."""

WRITE_TIMEOUT = 30.0
"""Seconds in which a client that has answers to read reads none of them; then its connection
ends."""

LINGER = 2.0
"""Seconds in which a connection is still read after our last word; and, while a worker stops, in
which a client must read, and send the request for which it has connected."""


class Connection(Protocol):
    def standing(self) -> tuple[bool, float] | None:
        """Whether it is in the midst of a request that its client holds up, and since when it is
        idle or that request came; None for one that has its answer coming, or has ended."""

    def evict(self) -> None:
        """End it, for another."""


class Connections(ServerState):
    """uvicorn's state of a server. ``most``: of connections. ``draining``: each answer is the last
    of its connection. ``stopping``: no connection comes any more."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        super().__init__()
        self.most = most
        self.draining = self.stopping = False

    @property
    def write_timeout(self) -> float:
        return LINGER if self.stopping else WRITE_TIMEOUT

    def make_room(self, newest: Connection) -> None:
        """Where there are too many, the one that is idle longest ends; if none is, the one whose
        client holds its request up longest; if none does, the newest, once the places for probes
        are taken too."""
        if len(self.connections) <= self.most:
            return
        others = (cast(Connection, other) for other in self.connections if other is not newest)
        standing = [(place, id(other), other) for other in others if (place := other.standing())]
        if standing:
            min(standing)[2].evict()
        elif len(self.connections) > self.most + KEPT:
            newest.evict()


def allowed() -> int:
    """How many connections a worker may hold, having raised its limit of open files as far as it
    needs and may.

    A quarter of the files that are left is for everything else that it opens.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = FILES if hard == unlimited else min(FILES, hard)
    if soft != unlimited and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = FILES if soft == unlimited else soft
    return max(1, min(MAX_CONNECTIONS, (files - len(os.listdir("/dev/fd"))) * 3 // 4))
