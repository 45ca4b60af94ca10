"""Takes connections off the socket that all workers of a server listen on, so that each worker gets
its share.

A loop's own server takes all connections that wait, and the kernel wakes the workers in the same
order each time: the first may take nearly all, and clients keep what they have. Here a worker takes
a few, pauses, and is woken last.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

SUPPORTED = hasattr(select, "epoll")
"""Linux has it. Elsewhere workers share as the system lets them."""

AT_ONCE = 4
PAUSE = 0.001
"""Seconds after so many connections at once, in which the next ones are left to other workers."""

RETRY = 1.0
"""Seconds after a connection that could not be taken, as asyncio has it: the process has no files
left, say."""


class FairServer:
    """Is closed as ``asyncio.Server`` is. ``protocol``: makes the protocol of a connection."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        """In a running loop. ``listener`` stays the caller's to close, after this."""
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._handed_over = set[asyncio.Task[object]]()
        self._waiting = select.epoll()
        listener.setblocking(False)
        self._wait()
        self._loop.add_reader(self._waiting.fileno(), self._accept)

    def close(self) -> None:
        if not self._waiting.closed:
            self._loop.remove_reader(self._waiting.fileno())
            self._waiting.close()

    async def wait_closed(self) -> None:
        """``close`` leaves nothing to wait for: connections are closed by whoever has them."""

    def _wait(self) -> None:
        """At the end of the kernel's queue: that is where exclusive waiters are put."""
        if not self._waiting.closed:
            self._waiting.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def _accept(self) -> None:
        taken = 0
        try:
            while taken < AT_ONCE:
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
            pause = RETRY
        else:
            pause = PAUSE
        if taken or pause:
            self._waiting.unregister(self._listener)
            if pause:
                self._loop.call_later(pause, self._wait)
            else:
                self._wait()
