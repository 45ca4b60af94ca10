"""What clients and probes see of a busy, overdue, stuck or broken server."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import psutil
import pytest
from scripted import COMPUTE, DIE, FAIL, FROZEN, SWITCH, TEXT

import support
from blackbox.server import (
    BARE,
    ONE_WORKER,
    THREADS,
    Server,
    answer_on,
    occupy,
    serving,
    until,
)

LEAST = BARE if Server.kind == "ours" else ONE_WORKER
"""The least that must be said for probes not to wait."""


@pytest.mark.parametrize(
    ("seconds", "slots"), [(5.0, 48), (COMPUTE + 5.0, 2)], ids=["waiting", "computing"]
)
def test_probes_answer_while_every_score_is_busy(
    scripted_model: Path, tmp_path: Path, seconds: float, slots: int
):
    """Probes end before the first score does, with all places taken or scores that hold the
    interpreter."""
    with (
        serving(scripted_model, tmp_path, **LEAST, SCORING_SLOTS=str(slots)) as server,
        ThreadPoolExecutor(48) as pool,
    ):
        futures = occupy(server, pool, seconds, slots)
        for path in ("/readiness", "/liveness", "/health", "/"):
            assert server.get(path).status_code == 200
        assert not any(future.done() for future in futures)
        assert {future.result().status_code for future in futures} == {200}


@pytest.fixture(scope="module")
def one_worker(scripted_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(scripted_model, tmp_path_factory.mktemp("one"), **ONE_WORKER) as server:
        yield server


@pytest.fixture(scope="module")
def bare(scripted_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(scripted_model, tmp_path_factory.mktemp("bare"), **BARE) as server:
        yield server


@pytest.mark.parametrize(
    ("configuration", "interval"),
    [("bare", 0.005), ("one_worker", 0.0005)][Server.kind == "ours" :],
)
def test_threads_take_turns_often(
    request: pytest.FixtureRequest, configuration: str, interval: float
):
    """Scores that hold the interpreter do not slow probes down many times."""
    server = request.getfixturevalue(configuration)
    assert server.score([[SWITCH]]).json()["predictions"] == [pytest.approx(interval)]


def test_garbage_collection_does_not_go_through_what_start_up_left(one_worker: Server):
    """A full collection does not hold up every request of the worker for 80 ms."""
    assert one_worker.score([[FROZEN]]).json()["predictions"][0] > 10_000


def test_joined_requests_get_their_own_answers(tmp_path: Path):
    """With micro-batching twenty clients with good and bad values get their own answers."""
    model = support.scripted(tmp_path, "Steady")
    env = ONE_WORKER | {"SCORING_MICRO_BATCH_ROWS": "8", "SCORING_CACHE": "off"}
    with serving(model, tmp_path, **env) as server, ThreadPoolExecutor(20) as clients:
        answers = list(
            clients.map(
                lambda i: server.fresh("POST", "/score", [[i] if i % 7 else ["x"]]), range(100)
            )
        )
        for i, answer in enumerate(answers):
            assert answer.json().get("predictions") == ([2.0 * i] if i % 7 else None)
            assert answer.status_code == (200 if i % 7 else 422)


def test_answers_do_not_tell_who_asked_at_the_same_time(demo_model: Path, tmp_path: Path):
    """Eight requests at once get the same answers, to the last digit, as one by one."""
    rows = support.diabetes()[0].head(8).to_numpy().tolist()
    bodies = [orjson.dumps({"data": [row], "method": "predict_proba"}) for row in rows]
    head = (
        "POST /score HTTP/1.1\r\nHost: h\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    )
    with (
        serving(demo_model, tmp_path, **ONE_WORKER, SCORING_CACHE="off") as server,
        contextlib.ExitStack() as stack,
    ):
        alone = [
            server.score({"data": [row], "method": "predict_proba"}).json()["predictions"]
            for row in rows
        ]
        url = server.client.base_url
        sockets = [
            stack.enter_context(socket.create_connection((url.host, url.port or 80))) for _ in rows
        ]
        for _ in range(20):
            for connection, body in zip(sockets, bodies, strict=True):
                connection.sendall(head.format(len(body)).encode() + body)
            together = [
                orjson.loads(answer_on(connection)[1])["predictions"] for connection in sockets
            ]
            assert together == alone


@pytest.mark.parametrize("configuration", [BARE, ONE_WORKER], ids=["bare", "threads"])
def test_past_the_deadline_504_comes_before_the_score_ends(
    scripted_model: Path, tmp_path: Path, configuration: dict[str, str]
):
    """This holds under one sync worker too; the slot is free again once the score ends."""
    env = configuration | {
        "SCORING_DEADLINE_MS": "200",
        "SCORING_SLOTS": "1",
    }
    with serving(scripted_model, tmp_path, **env) as server:
        late = server.score([[2.0]])
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        until(lambda: server.score([[0]]).status_code == 503, "a score that goes on is noticed")
        until(lambda: server.score([[0]]).status_code == 200, "the slot is free again")


def test_a_stuck_score_turns_liveness_on_every_worker(scripted_model: Path, tmp_path: Path):
    """Liveness fails whichever worker a probe reaches; readiness reports overdue slots before
    that."""
    env = THREADS | {
        "SCORING_DEADLINE_MS": "200",
        "SCORING_SLOTS": "1",
        "SCORING_STUCK_AFTER_MS": "1500",
    }
    with serving(scripted_model, tmp_path, **env) as server:
        assert server.score([[1000.0]]).status_code == 504
        until(lambda: server.get("/readiness").status_code == 503, "readiness fails")
        until(lambda: server.get("/liveness").status_code == 503, "liveness fails")
        for _ in range(20):
            probe = server.fresh("GET", "/liveness")
            assert (probe.status_code, probe.headers["retry-after"]) == (503, "5")
            assert "has been running for more than 1.5 seconds" in probe.json()["reason"]


@pytest.mark.parametrize("configuration", [BARE, THREADS], ids=["bare", "threads"])
def test_counts_are_right_over_workers_that_die(
    scripted_model: Path, tmp_path: Path, configuration: dict[str, str]
):
    """Counts are summed over processes; clients' errors are separate, and requests that died with a
    worker count as ours."""
    with serving(scripted_model, tmp_path, **configuration) as server:
        before = server.get("/health").json()

        def counts() -> tuple[int, int, int]:
            health = server.get("/health").json()
            return health["total_requests"], health["client_error_count"], health["error_count"]

        for orders, status in (([0] * 20, 200), (["x"] * 5, 422), ([FAIL] * 5, 500)):
            for order in orders:
                assert server.fresh("POST", "/score", [[order]]).status_code == status
        assert counts() == (30, 5, 5)
        workers = server.workers()
        with pytest.raises(httpx.TransportError):
            server.score([[DIE]])
        until(lambda: len(set(server.workers()) - set(workers)) == 1, "the dead worker is replaced")
        until(lambda: counts() == (31, 5, 6), "the new worker has taken over the counts")
        assert server.score([[0]]).status_code == 200
        assert counts() == (32, 5, 6)
        assert server.get("/health").json()["uptime_seconds"] > before["uptime_seconds"]


def test_a_failure_of_the_model_tells_the_client_nothing_of_it(bare: Server):
    """The log has the place of the failure under the request's id; its message appears nowhere."""
    body = bare.score([[FAIL]], headers={"x-request-id": "broken-1"}).json()
    assert (body["code"], body["error"]) == ("model_failed", "The model failed.")
    (line,) = bare.logged("broken-1")
    assert line["exception"].startswith("RuntimeError at")
    assert "scripted.py" in line["exception"]
    assert "4711" not in bare.log
    answer = bare.score([[TEXT]])  # as many characters as there are rows
    assert (answer.status_code, answer.json()["code"]) == (500, "model_failed")
    assert answer.json()["error"] == "The model answered with a str in place of one answer a row."


def test_the_traceback_is_shown_where_development_asks_for_it(scripted_model: Path, tmp_path: Path):
    """With the setting, the traceback is in ``trace`` and in the log."""
    with serving(scripted_model, tmp_path, SCORING_EXPOSE_TRACEBACK="true") as server:
        assert "RuntimeError: the model broke on 4711" in server.score([[FAIL]]).json()["trace"]


def test_bodies_that_nobody_reads_take_no_memory(scripted_model: Path, tmp_path: Path):
    """A hundred clients may each send nearly ten million bytes to an unknown path."""
    with (
        serving(scripted_model, tmp_path, **THREADS) as server,
        contextlib.ExitStack() as open_sockets,
    ):

        def memory() -> int:
            return sum(psutil.Process(worker).memory_info().rss for worker in server.workers())

        before = memory()
        head = (
            b"POST /nope HTTP/1.1\r\nHost: h\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9999999\r\n\r\n"
        )
        for _ in range(100):
            connection = open_sockets.enter_context(
                socket.create_connection(("127.0.0.1", server.port))
            )
            connection.settimeout(0.2)
            with contextlib.suppress(OSError):
                connection.sendall(head + b" " * 9_999_998)
        assert memory() - before < 300_000_000


def test_slow_clients_do_not_block_probes(scripted_model: Path, tmp_path: Path):
    """Clients that never finish their body take no places in flight. Under gunicorn's own worker
    they do, but not the threads that probes need, and only until the timeout."""
    half = (
        b"POST /score HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n[["
    )
    with (
        serving(scripted_model, tmp_path, **ONE_WORKER, SCORING_BODY_TIMEOUT_MS="3000") as server,
        contextlib.ExitStack() as stack,
    ):
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(48)
        ]
        for connection in slow:
            connection.sendall(half)
        held, status = (0, 200) if server.kind == "ours" else (48, 503)
        until(lambda: server.get("/health").json()["in_flight"] == held, "they hold their places")
        assert server.get("/liveness").status_code == 200
        assert server.score([[0]]).status_code == status
        assert {connection.recv(100).split()[1] for connection in slow} == {b"408"}
        assert server.score([[0]]).status_code == 200
