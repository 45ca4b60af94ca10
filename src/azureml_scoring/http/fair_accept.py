"""Accepts connections from the socket that all workers of a server share, so that each worker gets
its part.

The kernel wakes the workers in the same order each time: the first might take nearly all
connections, and clients keep them. Here a worker accepts a few, pauses, and is woken last. If its
loop was busy for longer than the pause, it makes up for that: uvloop's own server accepts a single
connection each time that the loop looks at its sockets, and a probe would wait behind all others.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

SUPPORTED = hasattr(select, "epoll")
"""True on Linux. Elsewhere workers share as the system lets them."""

MAX_ACCEPTS = 4
PAUSE_S = 0.001
"""After so many connections at once, the next ones are left to other workers for so long."""

MAX_LATE_ACCEPTS = 64
"""After a longer pause, a worker accepts as many as it would have meanwhile, but no more than these
at once."""

RETRY_S = 1.0
"""Pause after a failed accept, as in asyncio: the process may have no files left."""


class FairServer:
    """Closes like ``asyncio.Server``. ``protocol``: makes the protocol of a connection."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Needs a running loop. The caller closes ``listener``, after this."""
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._handed_over = set[asyncio.Task[object]]()
        self._waiting = select.epoll()
        self._max_accepts = MAX_ACCEPTS
        listener.setblocking(False)
        self._wait()
        self._loop.add_reader(self._waiting.fileno(), self._accept)

    def close(self) -> None:
        if not self._waiting.closed:
            self._loop.remove_reader(self._waiting.fileno())
            self._waiting.close()

    async def wait_closed(self) -> None:
        """Return at once: whoever has the connections closes them."""

    def _wait(self) -> None:
        """Wait at the end of the kernel's queue, where it puts exclusive waiters."""
        if not self._waiting.closed:
            self._waiting.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def _end_pause(self, began: float) -> None:
        lasted = self._loop.time() - began
        self._max_accepts = min(max(1, int(lasted / PAUSE_S)) * MAX_ACCEPTS, MAX_LATE_ACCEPTS)
        self._wait()

    def _accept(self) -> None:
        taken, max_accepts, self._max_accepts = 0, self._max_accepts, MAX_ACCEPTS
        try:
            while taken < max_accepts:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                task = self._loop.create_task(
                    self._loop.connect_accepted_socket(self._protocol, connection)
                )
                self._handed_over.add(task)
                task.add_done_callback(self._handed_over.discard)
                taken += 1
        except (BlockingIOError, ConnectionAbortedError):
            pause = 0.0
        except OSError:
            pause = RETRY_S
        else:
            pause = PAUSE_S
        if taken or pause:
            self._waiting.unregister(self._listener)
            if pause:
                self._loop.call_later(pause, self._end_pause, self._loop.time())
            else:
                self._wait()
