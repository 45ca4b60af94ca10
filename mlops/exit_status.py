"""The exit statuses of all commands, which docs/command-line.md explains to users."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended. A script may rely on these numbers."""

    DONE = 0
    NO = 1
    """The work is done and the answer is no, such as drifted, or outside the objectives."""
    USAGE = 2
    """Which click itself gives."""
    UNDECIDED = 3
    """Too few rows or requests to judge by."""
    UNUSABLE = 4
    """A file, model, setting, port or package on this machine can't be used."""
    SERVER = 5
    """A server or an endpoint can't be reached, or refuses."""
    NOT_SIGNED_IN = 6
    UNEXPECTED = 70
    """EX_SOFTWARE of sysexits.h: a fault of ours."""
    INTERRUPTED = 130
    """128 and the number of SIGINT, as a shell counts."""
    PIPE_CLOSED = 141
    """128 and the number of SIGPIPE."""
