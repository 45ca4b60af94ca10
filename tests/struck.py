"""Strikes a request at any place, as the server's SIGALRM does, or where a thread is started."""

import itertools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Struck(BaseException):
    """What the alarm raises."""


@contextmanager
def struck_at(place: int, *modules: str) -> Iterator[threading.Event]:
    """Raise Struck at this place of the ``modules``; yield whether the block has come so far.

    ``place``: counted where Python looks for signals: where its functions begin, and where C's
    return. ``modules``: ends of the paths of their files.
    """
    places, alarm = itertools.count(), threading.Event()

    def strike(frame: FrameType, event: str, _: object) -> None:
        if (
            event in ("call", "c_return")
            and frame.f_code.co_filename.endswith(modules)
            and next(places) == place
        ):
            alarm.set()
            raise Struck

    before = sys.getprofile()
    sys.setprofile(strike)
    try:
        yield alarm
    finally:
        sys.setprofile(before)


def no_thread(_: threading.Thread) -> None:
    """Fail as ``Thread.start`` does where a process may have no more threads."""
    raise RuntimeError("can't start new thread")
