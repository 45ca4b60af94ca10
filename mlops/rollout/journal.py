"""The journal of rollouts, a JSON line for each event: for people, for the report, and to continue
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

CONTINUED_AFTER = {
    RolloutOutcome.HELD,
    RolloutOutcome.INCONCLUSIVE,
    RolloutOutcome.INTERRUPTED,
}
"""After these the next rollout of the same deployment goes on where the last one ended."""

FRESH_S = 24 * 3600
"""A rollout that began earlier is not continued."""


class Journal:
    """The journal in the file ``path``. ``follow`` is called with each event that is written."""

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
        """Raise StartupError if the file is not a journal, or a symbolic link."""
        output.check(self._path, _is_journal)

    def write(self, event: str, **what: Any) -> None:
        """Write an event. It is on the disk when this returns, since a killed rollout is continued
        from here. Raises OSError, and StartupError if the file is not a journal."""
        line = {"at": round(self._clock(), 3), "event": event, **what}
        try:
            self._append(json.dumps(line, ensure_ascii=False).encode(errors="replace"))
        finally:
            self._follow(line)

    def note(self, event: str, **what: Any) -> None:
        """Write an event if possible: what follows must happen even with a full disk or a closed
        terminal."""
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
        """Lock the journal against other rollouts. Raises EndpointError if one has locked it, or if
        it can't be written."""
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
        """Return the events of the last rollout, "started" first, without a half-written line.

        Raises EndpointError if a line is not an event: what it recorded is unknown.
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
        """Return the last rollout's id in the endpoint's tags, or an empty string."""
        return str(next((event.get("run", "") for event in self.last()), ""))

    def promoted(self, key: str) -> bool:
        """True if the last rollout was of ``key``, from any deployment, and was promoted."""
        events = self.last()
        return (
            bool(events)
            and events[0]["key"].endswith(f", {key}")
            and events[-1].get("outcome") == RolloutOutcome.PROMOTED
        )

    def continued(self, key: str) -> list[Event]:
        """Return the last rollout's events if it can be continued: of ``key``, recent, and not put
        back after a breach."""
        events = self.last()
        if not events or events[0]["key"] != key or events[0]["at"] < self._clock() - FRESH_S:
            return []
        if any(
            event["event"] in ("back", "ended") and event["outcome"] not in CONTINUED_AFTER
            for event in events
        ):
            return []
        return events


def _is_journal(head: bytes) -> bool:
    """True if the first line is an event."""
    try:
        read(head.partition(b"\n")[0])
    except ValueError:
        return False
    return True
