import logging.handlers
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from azureml_scoring import log
from azureml_scoring.http import process
from azureml_scoring.http.gunicorn_worker import GunicornWorker
from azureml_scoring.http.worker import FastWorker


class Worker:
    """What we know of a gunicorn worker."""

    def __init__(self) -> None:
        self.cfg = SimpleNamespace(threads=8)
        self.ppid = 4711
        self.log = SimpleNamespace(access=print)
        self.stopped = 0
        self.sockets: list[object] = []
        self.max_keepalived = 936

    def handle_exit(self, number: int, frame: object) -> None:
        self.stopped += 1


@pytest.fixture
def worker() -> object:
    before = signal.getsignal(signal.SIGTERM)
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.handle_exit)
    yield worker
    signal.signal(signal.SIGTERM, before)


def test_without_gunicorn_this_process_is_the_server():
    """A notebook or a batch job has no server."""
    assert (process.master_pid(), process.threads()) == (os.getpid(), None)
    before = signal.getsignal(signal.SIGTERM)
    process.drain_on_sigterm(1, lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_under_gunicorn_the_master_is_the_server(worker: Worker):
    """The worker knows how many requests it can hold."""
    assert (process.master_pid(), process.threads()) == (4711, 8)


def test_gunicorns_access_log_can_be_dropped(worker: Worker, capsys: pytest.CaptureFixture[str]):
    """Our own line says more."""
    worker.log.access("one")
    process.drop_access_log()
    worker.log.access("two")
    assert capsys.readouterr().out == "one\n"


def test_the_lines_of_azure_mls_server_for_each_request_are_dropped_too(
    monkeypatch: pytest.MonkeyPatch,
):
    """The lines of its errors and of its start stay."""
    theirs = logging.getLogger("azmlinfsrv")
    kept = logging.handlers.BufferingHandler(10)
    monkeypatch.setattr(theirs, "disabled", False)
    monkeypatch.setattr(theirs, "filters", [])
    monkeypatch.setattr(theirs, "handlers", [kept])
    process.drop_access_log()
    for module, level in [
        ("routes", logging.INFO),
        ("routes", logging.ERROR),
        ("user_script", logging.INFO),
    ]:
        theirs.handle(
            theirs.makeRecord(
                theirs.name, level, f"/site-packages/{module}.py", 1, module, (), None
            )
        )
    assert [(record.msg, record.levelname) for record in kept.buffer] == [
        ("routes", "ERROR"),
        ("user_script", "INFO"),
    ]


def test_sigterm_drains_once_and_then_stops(worker: Worker):
    """The signal may come more than once; each answer is the last of its connection then."""
    drained: list[bool] = []
    process.drain_on_sigterm(0.2, lambda: drained.append(True))
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
    assert worker.stopped == 0
    until = time.monotonic() + 10
    while not worker.stopped and time.monotonic() < until:
        time.sleep(0.01)
    assert (drained, worker.stopped, worker.max_keepalived) == ([True], 1, 0)


def test_a_worker_that_stops_takes_first_what_waits_for_it(worker: Worker):
    """Whoever has connected is answered; where other workers go on, they answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        backlog = [0, 3, 3]
        worker.sockets = [SimpleNamespace(sock=listening, get_backlog=backlog.pop)]
        process.drain_on_sigterm(0, lambda: None)
        os.kill(os.getpid(), signal.SIGTERM)
        until = time.monotonic() + 10
        while not worker.stopped and time.monotonic() < until:
            time.sleep(0.01)
        assert (worker.stopped, backlog) == (1, [])
        with socket.socket() as late:
            late.settimeout(0.1)
            with pytest.raises(TimeoutError):
                late.connect(listening.getsockname())


class Standard(Worker):
    """gunicorn's own, while it calls ``init()``."""

    __module__ = "gunicorn.workers.sync"

    def __init__(self, *, tls: bool = False) -> None:
        super().__init__()
        self.cfg = SimpleNamespace(threads=1, is_ssl=tls, backlog=2048, workers=1)
        self.log = SimpleNamespace(
            error_log=logging.getLogger("theirs"), access_log=logging.getLogger("theirs")
        )
        self.max_requests, self.timeout, self.sockets = 1000, 150, []

    def run(self) -> str:
        return "gunicorn's"


class Threads(Standard):
    __module__ = "gunicorn.workers.gthread"


class Other(Standard):
    __module__ = "gunicorn.workers.ggevent"


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make sure that our worker has not taken over, before and after."""
    monkeypatch.setattr(process, "_ours", [])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("kind", [Standard, Threads])
def test_our_worker_takes_the_place_of_gunicorns_own(kind: type[Standard]):
    """It does so without a setting, under plain ``azmlinfsrv`` and with threads."""
    worker = kind()
    signal.signal(signal.SIGTERM, worker.handle_exit)
    process.take_over({})
    ours = process.worker()
    assert isinstance(ours, FastWorker)
    assert worker.run == ours.run
    assert (process.master_pid(), process.threads()) == (4711, 64)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("worker", "environ"),
    [(Other(), {}), (Standard(tls=True), {}), (Standard(), {"SCORING_TIMEOUT_MS": "1000"})],
    ids=["another class", "TLS", "azmlinfsrv's timeout"],
)
def test_gunicorns_own_worker_stays_where_it_was_chosen(worker: Standard, environ: dict[str, str]):
    """It also stays if something is on that only it has."""
    signal.signal(signal.SIGTERM, worker.handle_exit)
    process.take_over(environ)
    assert worker.run() == "gunicorn's"
    assert isinstance(process.worker(), GunicornWorker)


@pytest.mark.usefixtures("nobody")
def test_gunicorns_own_worker_stays_where_ours_can_not_be(monkeypatch: pytest.MonkeyPatch):
    """A log line says what is missing."""
    told: list[str] = []
    monkeypatch.setattr(log, "event", lambda message, level: told.append(message))
    unknown = Standard()
    del unknown.max_requests
    signal.signal(signal.SIGTERM, unknown.handle_exit)
    process.take_over({})
    monkeypatch.setitem(sys.modules, "azureml_scoring.http.worker", None)
    process.take_over({})
    assert unknown.run() == "gunicorn's"
    assert [("max_requests" in told[0]), ("azureml_scoring.http.worker" in told[1])] == [True, True]
    assert all("environment/requirements.txt" in message for message in told)


def test_our_worker_says_what_it_is(monkeypatch: pytest.MonkeyPatch):
    """Its master and threads replace gunicorn's."""
    drains: list[float] = []
    ours = SimpleNamespace(
        master=42, threads=64, drain_on_sigterm=lambda seconds, drain: drains.append(seconds)
    )
    monkeypatch.setattr(process, "_ours", [ours])
    process.drain_on_sigterm(5.0, lambda: None)
    assert (process.master_pid(), process.threads(), drains) == (42, 64, [5.0])
