"""Workers, their master, and what is counted of them."""

import os
import signal
from pathlib import Path

from blackbox.server import (
    THREADS,
    runs,
    serving,
    until,
)


def test_preloaded_workers_have_counters_of_their_own(scripted_model: Path, tmp_path: Path):
    """Counters work if WORKER_PRELOAD runs init() before the workers are forked."""
    with serving(scripted_model, tmp_path, **THREADS | {"WORKER_PRELOAD": "true"}) as server:
        for _ in range(10):
            assert server.fresh("POST", "/score", [[0]]).status_code == 200
        until(lambda: server.get("/health").json()["total_requests"] == 10, "all are counted")
        assert server.get("/readiness").status_code == 200


def test_workers_end_with_their_master(scripted_model: Path, tmp_path: Path):
    """Workers do not stay to answer beside those of a restarted server."""
    with serving(scripted_model, tmp_path, **THREADS) as server:
        workers = until(
            lambda: len(server.workers()) == 2 and server.workers(), "both workers are there"
        )
        os.kill(server.process.pid, signal.SIGKILL)
        until(lambda: not any(map(runs, workers)), "the workers end")


def test_workers_that_die_again_and_again_are_replaced(scripted_model: Path, tmp_path: Path):
    """Workers are replaced however soon they die, and the others go on."""
    with serving(scripted_model, tmp_path, **THREADS) as server:
        until(lambda: len(server.workers()) == 2, "both workers are there")
        other, *_ = server.workers()
        for _ in range(3):
            dies = next(worker for worker in server.workers() if worker != other)
            os.kill(dies, signal.SIGKILL)
            until(
                lambda dies=dies: len({*server.workers()} - {dies}) == 2, "another worker is there"
            )
        assert other in server.workers()
        until(lambda: server.fresh("POST", "/score", [[0]]).status_code == 200, "it answers")


def test_two_servers_side_by_side_count_apart(scripted_model: Path, tmp_path: Path):
    """Two servers keep separate counts even in one temporary folder."""
    with serving(scripted_model, tmp_path) as one, serving(scripted_model, tmp_path) as other:
        one.score([[0]])
        totals = [server.get("/health").json()["total_requests"] for server in (one, other)]
        assert totals == [1, 0]
