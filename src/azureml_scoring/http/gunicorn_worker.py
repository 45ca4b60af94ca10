"""Finds gunicorn's worker in this process: its master, its threads, and how it stops.

A gunicorn worker sets its SIGTERM handler, a bound method, before it calls ``init()``: that is how
it is found.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from azureml_scoring.http import listener

MAX_QUEUE_WAIT_S = 5.0
"""How long a worker that stops still accepts the connections that wait for it."""


class GunicornWorker:
    """gunicorn's own worker as a ``process.Worker``."""

    def __init__(self, worker: Any) -> None:
        self.worker = worker
        self.master: int = worker.ppid
        self.threads: int = worker.cfg.threads

    @property
    def standard(self) -> bool:
        """True for the workers of ``azmlinfsrv`` itself and of its ``--threads``; and only without
        TLS, which it leaves to proxies."""
        return (
            type(self.worker).__module__ in ("gunicorn.workers.sync", "gunicorn.workers.gthread")
            and not self.worker.cfg.is_ssl
        )

    @classmethod
    def find(cls) -> GunicornWorker | None:
        owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        return cls(owner) if hasattr(owner, "cfg") and hasattr(owner, "ppid") else None

    def drop_access_log(self) -> None:
        """Replace the logger's method: the setting has been read, and ``azmlinfsrv`` offers no way
        to change it."""
        self.worker.log.access = lambda *request: None

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        """Drain first; gunicorn alone closes the port at once."""
        signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        drained = threading.Event()

        def handle(number: int, frame: FrameType | None) -> None:
            """Hand the signal on. It may interrupt any line of the main thread, so it must not wait
            for a lock that this line holds: a SimpleQueue has none."""
            if drained.is_set():
                self.worker.handle_exit(number, frame)
            else:
                signals.put(number)

        def drain_then_stop() -> None:
            signals.get()
            drain()
            self.worker.max_keepalived = 0  # each answer is the last of its connection
            time.sleep(seconds)
            self._close_to_new_connections()
            drained.set()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=drain_then_stop, name="drain", daemon=True).start()
        signal.signal(signal.SIGTERM, handle)
        # a request that is being read or answered goes on
        signal.siginterrupt(signal.SIGTERM, False)

    def _close_to_new_connections(self) -> None:
        """Close the port if no other worker goes on; connections that wait are accepted first."""
        last = [
            server
            for server in self.worker.sockets
            if not listener.is_shared(server.sock, self.master)
        ]
        for server in last:
            listener.take_no_more(server.sock)
        time.sleep(listener.HANDSHAKE_S)
        limit = time.monotonic() + MAX_QUEUE_WAIT_S
        while any(server.get_backlog() > 0 for server in last) and time.monotonic() < limit:
            time.sleep(listener.HANDSHAKE_S)
