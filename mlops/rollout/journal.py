"""What a rollout did and saw, a JSON line each: for those who read it, for the report, and to go on
from."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlops import output
from mlops.endpoint import EndpointError
from mlops.rollout.events import Event, RolloutOutcome, read

__all__ = ["Event", "Journal", "RolloutOutcome"]

CONTINUED = {RolloutOutcome.HELD, RolloutOutcome.INTERRUPTED}
"""The next rollout of the same deployment goes on after these."""

FRESH_S = 24 * 3600


class Journal:
    """``follow`` is called with each event that is written."""

    def __init__(
        self,
        path: Path,
        *,
        follow: Callable[[Event], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._follow = follow
        self._clock = clock

    def check(self) -> None:
        """Raises StartupError where the file is another's, or a symbolic link."""
        output.check(self._path, _is_journal)

    def write(self, event: str, **what: Any) -> None:
        """On the disk when this returns: a killed rollout is gone on with by what stands here.

        Raises OSError, and StartupError where the file is another's.
        """
        line = {"at": round(self._clock(), 3), "event": event, **what}
        try:
            self._append(json.dumps(line, ensure_ascii=False).encode(errors="replace"))
        finally:
            self._follow(line)

    def note(self, event: str, **what: Any) -> None:
        """As ``write``, for what must go on though the disk is full or the terminal closed."""
        with contextlib.suppress(Exception):
            self.write(event, **what)

    def _append(self, line: bytes) -> None:
        self.check()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            half_written = file.read() not in (b"", b"\n")
            file.write(b"\n" * half_written + line + b"\n")
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other rollouts from writing it. Raises EndpointError where one does, or it can't be
        written."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+b")
        except OSError as error:
            raise EndpointError(
                f"The journal {self._path} can't be written ({error.strerror}); name another."
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise EndpointError(
                    f"Another rollout is writing {self._path}; wait until it has ended."
                ) from None
            yield

    def last(self) -> list[Event]:
        """The events of the last rollout, "started" first; a half-written line is none.

        Raises EndpointError where a line is anything else, for what it stood for can't be told.
        """
        events: list[Event] = []
        for number, line in enumerate(
            self._path.read_bytes().split(b"\n") if self._path.exists() else [], 1
        ):
            try:
                event = read(line)
            except ValueError:
                raise EndpointError(
                    f"Line {number} of {self._path} is not what a rollout writes; correct it, or "
                    f"move the file away."
                ) from None
            if event and event["event"] == "started":
                events = [event]
            elif event and events:
                events.append(event)
        return events

    def run(self) -> str:
        """What the last rollout is called in the endpoint's tags, or nothing."""
        return str(next((event.get("run", "") for event in self.last()), ""))

    def promoted(self, key: str) -> bool:
        """The last rollout was of that key, from whichever deployment, and went well to its end."""
        events = self.last()
        return (
            bool(events)
            and events[0]["key"].endswith(f", {key}")
            and events[-1].get("outcome") == RolloutOutcome.PROMOTED
        )

    def continued(self, key: str) -> list[Event]:
        """Of the last rollout, if it is to be gone on with: of that key, lately, not turned back by
        a breach."""
        events = self.last()
        if not events or events[0]["key"] != key or events[0]["at"] < self._clock() - FRESH_S:
            return []
        if any(
            event["event"] in ("back", "ended") and event["outcome"] not in CONTINUED
            for event in events
        ):
            return []
        return events


def _is_journal(head: bytes) -> bool:
    """By its first line."""
    try:
        read(head.partition(b"\n")[0])
    except ValueError:
        return False
    return True
