"""The server that this process is a worker of, if any: gunicorn under ``azmlinfsrv``, with its own
worker or ours.

Anywhere else (a notebook, a batch job, WORKER_PRELOAD's master) there is none, and each answer is
the plain one.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from azureml_scoring import log
from azureml_scoring.http.gunicorn_worker import GunicornWorker

SWITCH_INTERVAL = 0.0005
"""Seconds."""


class Worker(Protocol):
    """``master``: the process whose workers share their counters; ``threads``: how many requests
    this one can hold."""

    master: int
    threads: int

    def drop_access_log(self) -> None:
        """The server's own line for each request: ours says more, and two cost twice to write, ship
        and keep."""

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        """On SIGTERM call ``drain``, go on taking requests for so long, and only then let the
        server stop.

        A load balancer needs that time to see that readiness failed. The signal may come twice,
        from the master and to the process group: the second changes nothing.
        """


_ours: list[Worker] = []
"""At most one."""


def take_over(environ: Mapping[str, str] = os.environ) -> None:
    """In the place of gunicorn's own worker put ours, which answers probes while it scores, and
    many times as fast.

    That worker has called ``init()``, from where we are called, and is to run as soon as it is
    through. Where it is not as we know it, or what ours needs is not installed, it runs; and also
    where azmlinfsrv's own timeout is wanted, a signal that strikes only there.
    """
    found = GunicornWorker.find()
    if _ours or found is None or not found.standard or environ.get("SCORING_TIMEOUT_MS"):
        return
    try:
        from azureml_scoring.http.worker import FastWorker

        _ours[:] = [FastWorker(found.worker)]
    except (ImportError, AttributeError) as error:
        told = f"{error}: gunicorn's own worker serves, many times slower; install environment/requirements.txt."
        log.event(told, logging.WARNING)


def worker() -> Worker | None:
    return _ours[0] if _ours else GunicornWorker.find()


def master_pid() -> int:
    found = worker()
    return found.master if found else os.getpid()


def threads() -> int | None:
    found = worker()
    return found.threads if found else None


def let_probes_through() -> None:
    """In a worker with threads, make a score that holds the interpreter hand it on ten times as
    often as by default.

    A probe needs it about ten times, and each time waits behind every busy score: measured 200 to
    450 ms with two of them at Python's 5 ms, 15 to 40 ms like this, at no cost that could be
    measured.
    """
    if (threads() or 1) > 1:
        sys.setswitchinterval(SWITCH_INTERVAL)


def spare_start_up_from_collection() -> None:
    """In a worker, keep what start-up and the model left in memory out of every garbage collection
    to come.

    A full one went through all of it, scikit-learn and pandas included: measured 80 ms with the
    interpreter held, at no moment that anybody chose.
    """
    if worker():
        gc.collect()
        gc.freeze()


def drop_access_log() -> None:
    """See ``Worker``. Azure ML's Flask application adds two lines of its own, which this takes away
    too."""
    logging.getLogger("azmlinfsrv").addFilter(_tells_of_no_request)
    if found := worker():
        found.drop_access_log()


def drain_on_sigterm(seconds: float, drain: Callable[[], None]) -> None:
    """See ``Worker``."""
    if found := worker():
        found.drain_on_sigterm(seconds, drain)


def _tells_of_no_request(record: logging.LogRecord) -> bool:
    """Its requests are told of by one module, which tells of errors too."""
    return not (record.module == "routes" and record.levelno <= logging.INFO)
