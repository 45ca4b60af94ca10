"""What we need to know of gunicorn, the server under ``azmlinfsrv``: our worker's master and threads, and how it stops.

A gunicorn worker sets its SIGTERM handler, a bound method, before it calls ``init()``: that is how it is found here.
Anywhere else (a notebook, a batch job, WORKER_PRELOAD's master) there is none, and each answer is the plain one.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

SWITCH_INTERVAL = 0.0005
"""Seconds."""


def gunicorn_worker() -> Any | None:
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if hasattr(owner, "cfg") and hasattr(owner, "ppid") else None


def server_pid() -> int:
    """The process whose workers share their counters."""
    worker = gunicorn_worker()
    return worker.ppid if worker else os.getpid()


def threads() -> int | None:
    """How many requests this worker can hold at once, or None where that is not known."""
    worker = gunicorn_worker()
    return worker.cfg.threads if worker else None


def let_probes_through() -> None:
    """In a worker with threads, make a score that holds the interpreter hand it on ten times as often as by default.

    A probe needs it about ten times, and each time waits behind every busy score: measured 200 to 450 ms with two of
    them at Python's 5 ms, 15 to 40 ms like this, at no cost that could be measured.
    """
    if (threads() or 1) > 1:
        sys.setswitchinterval(SWITCH_INTERVAL)


def spare_start_up_from_collection() -> None:
    """In a worker, keep what start-up and the model left in memory out of every garbage collection to come.

    A full one went through all of it, scikit-learn and pandas included: measured 80 ms with the interpreter held, at
    no moment that anybody chose.
    """
    if gunicorn_worker():
        gc.collect()
        gc.freeze()


def drain_on_sigterm(seconds: float, drain: Callable[[], None]) -> None:
    """On SIGTERM call ``drain``, go on taking requests for so long, and only then let the server stop.

    A load balancer needs that time to see that readiness failed; gunicorn alone closes the port at once. The signal may
    come twice, from its master and to the process group: the second changes nothing.
    """
    worker = gunicorn_worker()
    if worker is None:
        return
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    drained = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        """Interrupts any line of the main thread, so it takes no lock that one may hold: a SimpleQueue has none."""
        if drained.is_set():
            worker.handle_exit(number, frame)
        else:
            signals.put(number)

    def drain_then_stop() -> None:
        signals.get()
        drain()
        time.sleep(seconds)
        drained.set()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=drain_then_stop, name="drain", daemon=True).start()
    signal.signal(signal.SIGTERM, handle)
    signal.siginterrupt(signal.SIGTERM, False)  # a request that is being read or answered goes on
