"""What signals do to a server: it drains, or ends at once."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from blackbox.server import (
    GUNICORN,
    THREADS,
    runs,
    serving,
    until,
)


@pytest.mark.parametrize("group", [False, True], ids=["master", "group"])
def test_sigterm_under_load_loses_nothing(scripted_model: Path, tmp_path: Path, group: bool):
    """Readiness turns 503 while requests are still taken, and every request sent until then is
    answered.

    The signal may go to the master alone, as in a container, or to the whole group, as from a
    terminal.
    """
    with serving(
        scripted_model, tmp_path, **THREADS | {"SCORING_DRAIN_MS": "5000", "SCORING_SLOTS": "8"}
    ) as server:
        turned, statuses, failures = threading.Event(), list[int](), list[Exception]()

        def client() -> None:
            while not turned.is_set():
                try:
                    statuses.append(server.fresh("POST", "/score", [[0.05]]).status_code)
                except httpx.TransportError as error:
                    failures.append(error)

        def slow_client() -> None:
            statuses.append(server.fresh("POST", "/score", [[4.0]]).status_code)

        clients = [threading.Thread(target=work) for work in [client] * 3 + [slow_client] * 1]
        for thread in clients:
            thread.start()
        until(lambda: len(statuses) > 20, "load is flowing")
        (os.killpg if group else os.kill)(server.process.pid, signal.SIGTERM)

        def unready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (
                    server.fresh("GET", "/readiness").json().get("reason")
                    == "The server is shutting down."
                )
            return False

        until(unready, "readiness turns 503")
        answered = len(statuses)
        until(lambda: len(statuses) > answered + 10, "requests are still taken")
        turned.set()  # a load balancer stops sending now
        for thread in clients:
            thread.join()
        assert failures == []
        assert set(statuses) == {200}
        until(lambda: server.process.poll() is not None, "the server ends")
        assert server.process.returncode == 0


def test_sigterm_under_bare_defaults_finishes_the_request(scripted_model: Path, tmp_path: Path):
    """A server with one worker drains too."""
    with serving(scripted_model, tmp_path, SCORING_DRAIN_MS="500") as server:
        statuses: list[int] = []
        slow = threading.Thread(target=lambda: statuses.append(server.score([[2.0]]).status_code))
        slow.start()
        time.sleep(0.5)  # the one worker is busy with it: nothing could tell when it has begun
        os.kill(server.process.pid, signal.SIGTERM)
        slow.join()
        assert statuses == [200]
        until(lambda: server.process.poll() is not None, "the server ends")


def test_sigterm_while_the_model_is_loaded_ends_the_server(slow_to_load: Path, tmp_path: Path):
    """No worker starts to serve after the signal, until its master would kill it."""
    env = {"GUNICORN_CMD_ARGS": f"{GUNICORN} --graceful-timeout 600", "LOAD_SECONDS": "3"}
    with serving(slow_to_load, tmp_path, up=False, **env) as server:
        until(lambda: "Invoking user's init function" in server.log, "it loads")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.process.poll() is not None, "the server ends")


@pytest.mark.parametrize("group", [False, True], ids=["master", "group"])
def test_ctrl_c_ends_the_server_without_draining(scripted_model: Path, tmp_path: Path, group: bool):
    """The signal goes to the whole group from a terminal, to the master alone from `kill -INT`."""
    with serving(scripted_model, tmp_path, **THREADS | {"SCORING_DRAIN_MS": "600000"}) as server:
        until(lambda: server.get("/readiness").status_code == 200, "it is ready")
        # Before that a worker has its master's handlers, and would miss the signal.
        until(lambda: server.log.count("Invoking user's init function") == 2, "both have begun")
        workers = server.workers()
        (os.killpg if group else os.kill)(server.process.pid, signal.SIGINT)
        until(lambda: server.process.poll() is not None, "the server ends")
        assert not any(map(runs, workers))
        assert "finishing what is in flight" not in server.log
