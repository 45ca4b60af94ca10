"""The socket that all workers of a server listen on, when one of them stops: nothing that it has
accepted is lost.

A connection is accepted by the kernel before it is by a worker. Those that still wait when the last
process closes the socket are reset, whatever their clients have sent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator

HANDSHAKE = 0.2
"""Seconds for those who are in the midst of connecting when no more are taken, and for what they
send."""

SO_ATTACH_FILTER = 26
"""Of Linux, as the program below."""

NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte with TCP's flags
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # or else take it
)
"""A classic BPF program, by its instructions: code, jumps if true and if false, operand."""


def is_shared(listener: socket.socket, master: int) -> bool:
    """Whether gunicorn's master listens on it too, so that other workers go on. False where that
    can't be told."""
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
    """Let nobody begin to connect, in no process; who has begun may end. A client that tries asks
    again in a second, and is refused once the socket is closed. Does nothing where the system has
    no such filter."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in NO_SYN)
    program = ctypes.create_string_buffer(code)
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET,
            SO_ATTACH_FILTER,
            struct.pack("HP", len(NO_SYN), ctypes.addressof(program)),
        )


def waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections that wait to be accepted now. The listener does not block."""
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            yield connection
