"""Closes the socket that all workers of a server share without losing a connection.

The kernel accepts a connection before a worker does. Connections that still wait when the last
process closes the socket are reset, whatever their clients have sent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator

HANDSHAKE_S = 0.2
"""Time for clients that are connecting when no more are accepted, and for what they send."""

SO_ATTACH_FILTER = 26
"""Linux's number for it; the program below is Linux's too."""

NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte with TCP's flags
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # or else take it
)
"""A classic BPF program. Each instruction: code, jumps if true and if false, operand."""


def is_shared(listener: socket.socket, master: int) -> bool:
    """Return True if gunicorn's master listens on it too, so that other workers go on; False if
    that can't be found out."""
    with contextlib.suppress(OSError):
        ours = os.readlink(f"/proc/self/fd/{listener.fileno()}")
        folder = f"/proc/{master}/fd"
        return any(_target(f"{folder}/{name}") == ours for name in os.listdir(folder))
    return False


def _target(link: str) -> str | None:
    with contextlib.suppress(OSError):  # it may have been closed meanwhile
        return os.readlink(link)
    return None


def take_no_more(listener: socket.socket) -> None:
    """Stop new connections in all processes; those that have begun may finish.

    A client that tries to connect retries after a second, and is refused once the socket is closed.
    Does nothing on systems without such a filter.
    """
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in NO_SYN)
    program = ctypes.create_string_buffer(code)
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET,
            SO_ATTACH_FILTER,
            struct.pack("HP", len(NO_SYN), ctypes.addressof(program)),
        )


def waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept the connections that wait now. The listener must not block."""
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            yield connection
