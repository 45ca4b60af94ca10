"""The server whose worker this process is: gunicorn under ``azmlinfsrv``, with its own worker or
ours.

Elsewhere (a notebook, a batch job, WORKER_PRELOAD's master) there is no server, and these functions
do nothing.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from azureml_scoring import log
from azureml_scoring.http.endpoint import ScoringEndpoint
from azureml_scoring.http.gunicorn_worker import GunicornWorker

if TYPE_CHECKING:
    from azureml_scoring.http.worker import FastWorker

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter while others wait; see ``let_probes_through``."""


class Worker(Protocol):
    """A server's worker. ``master``: the process whose workers share their counters; ``threads``:
    how many requests this worker can hold."""

    master: int
    threads: int

    def drop_access_log(self) -> None:
        """Stop the server's own line for each request: ours says more, and two cost twice to write,
        ship and keep."""

    def drain_on_sigterm(self, seconds: float, drain: Callable[[], None]) -> None:
        """Call ``drain`` on SIGTERM, take requests for so many seconds more, then let the server
        stop.

        A load balancer needs that time to see that readiness failed. The signal may come twice,
        from the master and to the process group: the second changes nothing.
        """


_ours: list[FastWorker] = []
"""Our worker, once it took over."""


def take_over(environ: Mapping[str, str] = os.environ) -> None:
    """Put our worker in the place of gunicorn's own: it answers probes while it scores, and is many
    times as fast.

    gunicorn's worker has called ``init()``, which calls this, and would run next. It does run if it
    has an unknown form, if what ours needs is not installed, or if azmlinfsrv's own timeout is on,
    whose signal works only there.
    """
    gunicorns = GunicornWorker.find()
    if _ours or gunicorns is None or not gunicorns.standard or environ.get("SCORING_TIMEOUT_MS"):
        return
    try:
        from azureml_scoring.http.worker import FastWorker

        _ours[:] = [FastWorker(gunicorns.worker)]
    except (ImportError, AttributeError) as error:
        log.event(
            f"{error}: gunicorn's own worker serves, many times slower; install "
            "environment/requirements.txt.",
            logging.WARNING,
        )


def answer_by(endpoint: ScoringEndpoint) -> None:
    """Let our worker, if it took over, answer by this endpoint."""
    for ours in _ours:
        ours.answer_by(endpoint)


def worker() -> Worker | None:
    return _ours[0] if _ours else GunicornWorker.find()


def master_pid() -> int:
    server = worker()
    return server.master if server else os.getpid()


def threads() -> int | None:
    server = worker()
    return server.threads if server else None


def let_probes_through() -> None:
    """Let a score pass on the interpreter ten times as often as by default, if the worker has
    threads.

    A probe needs the interpreter about ten times and waits each time behind every busy score. With
    two of them a probe took 200 to 450 ms at Python's 5 ms, and takes 15 to 40 ms like this, at no
    cost that could be measured.
    """
    if (threads() or 1) > 1:
        sys.setswitchinterval(SWITCH_INTERVAL_S)


def spare_start_up_from_collection() -> None:
    """Keep what start-up and the model left in a worker's memory out of garbage collections.

    A full one went through all of it, scikit-learn and pandas included, and held the interpreter
    for 80 ms at any moment.
    """
    if worker():
        gc.collect()
        gc.freeze()


def drop_access_log() -> None:
    """See ``Worker``. This also stops two lines that Azure ML's Flask application adds."""
    logging.getLogger("azmlinfsrv").addFilter(_is_not_of_a_request)
    if server := worker():
        server.drop_access_log()


def drain_on_sigterm(seconds: float, drain: Callable[[], None]) -> None:
    """See ``Worker``."""
    if server := worker():
        server.drain_on_sigterm(seconds, drain)


def _is_not_of_a_request(record: logging.LogRecord) -> bool:
    """Return False for a line on a request. The same module logs errors, which stay."""
    return not (record.module == "routes" and record.levelno <= logging.INFO)
