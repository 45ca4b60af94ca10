"""Connections shared evenly among the workers of a server, which all accept from one socket.

The kernel wakes every worker for each connection, and always in the same order: the first one is a little ahead, and
may take nearly all. Here it wakes one, and whoever has taken a connection goes to the end of the queue.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path


class Queue:
    """Of the workers that wait for connections of ``listener``; this one's loop listens on it already.

    libuv, below uvloop, waits by an epoll of its own and does not lend it, so it is looked for. Where there is none,
    as on macOS, or where it is not as we know it, nothing is done.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener.fileno()
        self._epoll = _epoll_of(self._listener)
        self.go_to_its_end()

    def go_to_its_end(self) -> None:
        """One that is busy is passed over: the kernel wakes only who waits."""
        if self._epoll is not None:
            self._epoll.unregister(self._listener)
            self._epoll.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def leave(self) -> None:
        """Before the listener is closed: its number may be another file's then."""
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None


def _epoll_of(file: int) -> select.epoll | None:
    """The one that waits for ``file``. To close what is returned leaves the loop its own."""
    with contextlib.suppress(OSError):
        for found in Path("/proc/self/fdinfo").iterdir():
            with contextlib.suppress(OSError):  # the file of this very list is closed by now
                if any(line.split()[:2] == ["tfd:", str(file)] for line in found.read_text().splitlines()):
                    return select.epoll.fromfd(os.dup(int(found.name)))
    return None
