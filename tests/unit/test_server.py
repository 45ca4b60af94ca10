import logging.handlers
import os
import signal
import time
from types import SimpleNamespace

import pytest

import server


class Worker:
    """What there is to know of a gunicorn worker."""

    def __init__(self) -> None:
        self.cfg = SimpleNamespace(threads=8)
        self.ppid = 4711
        self.log = SimpleNamespace(access=print)
        self.stopped = 0

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
    """In a notebook or a batch job."""
    assert (server.master_pid(), server.threads()) == (os.getpid(), None)
    before = signal.getsignal(signal.SIGTERM)
    server.drain_on_sigterm(1, lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_under_gunicorn_the_master_is_the_server(worker: Worker):
    """And the worker tells how many requests it can hold."""
    assert (server.master_pid(), server.threads()) == (4711, 8)


def test_gunicorns_access_log_can_be_dropped(worker: Worker, capsys: pytest.CaptureFixture[str]):
    """Our own line says more."""
    worker.log.access("one")
    server.drop_access_log()
    worker.log.access("two")
    assert capsys.readouterr().out == "one\n"


def test_the_lines_of_azure_mls_server_for_each_request_are_dropped_too(monkeypatch: pytest.MonkeyPatch):
    """Not those of its errors, nor of its start."""
    theirs = logging.getLogger("azmlinfsrv")
    kept = logging.handlers.BufferingHandler(10)
    monkeypatch.setattr(theirs, "disabled", False)
    monkeypatch.setattr(theirs, "filters", [])
    monkeypatch.setattr(theirs, "handlers", [kept])
    server.drop_access_log()
    for module, level in [("routes", logging.INFO), ("routes", logging.ERROR), ("user_script", logging.INFO)]:
        theirs.handle(theirs.makeRecord(theirs.name, level, f"/site-packages/{module}.py", 1, module, (), None))
    assert [(record.msg, record.levelname) for record in kept.buffer] == [("routes", "ERROR"), ("user_script", "INFO")]


def test_sigterm_drains_once_and_then_stops(worker: Worker):
    """However often the signal comes meanwhile."""
    drained: list[bool] = []
    server.drain_on_sigterm(0.2, lambda: drained.append(True))
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
    assert worker.stopped == 0
    until = time.monotonic() + 10
    while not worker.stopped and time.monotonic() < until:
        time.sleep(0.01)
    assert (drained, worker.stopped) == ([True], 1)


def test_our_worker_says_what_it_is(monkeypatch: pytest.MonkeyPatch):
    """In place of gunicorn's own."""
    drains: list[float] = []
    ours = SimpleNamespace(master=42, threads=64, drain_on_sigterm=lambda seconds, drain: drains.append(seconds))
    monkeypatch.setattr(server, "_ours", [ours])
    server.drain_on_sigterm(5.0, lambda: None)
    assert (server.master_pid(), server.threads(), drains) == (42, 64, [5.0])
