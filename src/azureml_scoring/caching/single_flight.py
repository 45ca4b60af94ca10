"""Equal work in flight is done once: the first to claim a key leads, the others wait for what it
lands."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """``mine``: keys that the caller leads; ``theirs``: keys that another thread is at."""

    mine: dict[bytes, Future[bytes | None]] = field(default_factory=dict)
    theirs: dict[bytes, Future[bytes | None]] = field(default_factory=dict)

    def land(self, results: Mapping[bytes, bytes]) -> None:
        """Hand results to those that wait for them."""
        for key, result in results.items():
            self.mine[key].set_result(result)

    def wait(self, seconds: float) -> dict[bytes, bytes]:
        """What the others landed; a key whose leader failed, or took longer, is left out."""
        if not self.theirs:
            return {}
        wait(self.theirs.values(), timeout=max(seconds, 0))
        landed = {key: future.result() for key, future in self.theirs.items() if future.done()}
        return {key: result for key, result in landed.items() if result is not None}


class SingleFlight:
    """Among the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[bytes | None]] = {}

    @contextmanager
    def claim(self, keys: Iterable[bytes]) -> Iterator[KeyClaim]:
        """On leaving, whatever the reason, keys that have not landed are released, so that nobody
        waits in vain."""
        claim = KeyClaim()
        try:
            with self._lock:
                for key in keys:
                    if key in self._flights:
                        claim.theirs[key] = self._flights[key]
                    else:
                        claim.mine[key] = self._flights[key] = Future()
            yield claim
        finally:
            with self._lock:
                for key, future in claim.mine.items():
                    if (
                        self._flights.get(key) is future
                    ):  # the server's SIGALRM may have struck in between
                        del self._flights[key]
            for future in claim.mine.values():
                if not future.done():
                    future.set_result(None)
