"""Computes equal requests of one process once: the first to claim a key computes it, the others
wait for its result."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """Keys that a thread has claimed. ``mine``: for the claimant to compute; ``theirs``: computed
    by other threads."""

    mine: dict[bytes, Future[bytes | None]] = field(default_factory=dict)
    theirs: dict[bytes, Future[bytes | None]] = field(default_factory=dict)

    def land(self, results: Mapping[bytes, bytes]) -> None:
        """Hand results to the threads that wait for them."""
        for key, result in results.items():
            self.mine[key].set_result(result)

    def wait(self, seconds: float) -> dict[bytes, bytes]:
        """Return the results of other threads. A key whose thread failed, or took longer, is left
        out."""
        if not self.theirs:
            return {}
        wait(self.theirs.values(), timeout=max(seconds, 0))
        landed = {key: future.result() for key, future in self.theirs.items() if future.done()}
        return {key: result for key, result in landed.items() if result is not None}


class SingleFlight:
    """The keys that the threads of this process are computing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[bytes | None]] = {}

    @contextmanager
    def claim(self, keys: Iterable[bytes]) -> Iterator[KeyClaim]:
        """Claim the keys that no other thread computes. On exit, for whatever reason, keys without
        a result are released, so that nobody waits in vain."""
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
                    # The server's SIGALRM may have struck between the two assignments above.
                    if self._flights.get(key) is future:
                        del self._flights[key]
            for future in claim.mine.values():
                if not future.done():
                    future.set_result(None)
