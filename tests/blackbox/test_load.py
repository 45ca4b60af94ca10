"""What clients and probes see of a busy, overdue, stuck or broken server."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPResponse
from pathlib import Path

import httpx
import orjson
import psutil
import pytest
from scripted import COMPUTE, DIE, FAIL, FROZEN, SWITCH, TEXT

import support
from blackbox.server import BARE, ONE_WORKER, PATIENCE, THREADS, Server, serving, until

SCORE = (
    b"POST /score HTTP/1.1\r\nHost: h\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


def occupy(
    server: Server, pool: ThreadPoolExecutor, seconds: float, count: int
) -> list[Future[httpx.Response]]:
    """Send requests; they are in flight when this returns."""
    before = server.get("/health").json()["in_flight"]
    futures = [pool.submit(server.client.post, "/score", json=[[seconds]]) for _ in range(count)]
    until(lambda: server.get("/health").json()["in_flight"] >= before + count, "they are in flight")
    return futures


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
            together = [orjson.loads(_body(connection))["predictions"] for connection in sockets]
            assert together == alone


def _body(connection: socket.socket) -> bytes:
    response = HTTPResponse(connection)
    response.begin()
    return response.read()


def test_past_the_in_flight_limit_503_comes_at_once(scripted_model: Path, tmp_path: Path):
    """The answer has Retry-After, while the admitted requests are still computed."""
    with (
        serving(
            scripted_model, tmp_path, **ONE_WORKER, SCORING_SLOTS="1", SCORING_MAX_IN_FLIGHT="1"
        ) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        (busy,) = occupy(server, pool, 2.0, 1)
        shed = server.score([[0]])
        assert not busy.done()
        assert (shed.status_code, shed.json()["code"]) == (503, "overloaded")
        exact_s = int(shed.headers["retry-after-ms"]) / 1000
        assert int(shed.headers["retry-after"]) - 1 < exact_s <= int(shed.headers["retry-after"])
        assert busy.result().status_code == 200


def test_who_would_wait_too_long_gets_503_before_the_slot_is_free(
    scripted_model: Path, tmp_path: Path
):
    """The objective says how long is too long, and the other setting with which status."""
    env = ONE_WORKER | {
        "SCORING_SLOTS": "1",
        "SCORING_LATENCY_OBJECTIVE_MS": "20",
        "SCORING_OVERLOAD_STATUS": "429",
    }
    with serving(scripted_model, tmp_path, **env) as server, ThreadPoolExecutor(1) as pool:
        (busy,) = occupy(server, pool, 3.0, 1)
        shed = until(
            lambda: (answer := server.score([[0]])).status_code != 200 and answer,
            "it has taken the slot",
        )
        assert not busy.done()
        assert (shed.status_code, shed.json()["code"]) == (429, "overloaded")


def test_a_caller_that_waits_for_less_than_an_answer_takes_is_refused_at_once(
    scripted_model: Path, tmp_path: Path
):
    """Before a slot is free, and Envoy's header counts as ours does; nonsense does not."""
    with (
        serving(scripted_model, tmp_path, **ONE_WORKER, SCORING_SLOTS="1") as server,
        ThreadPoolExecutor(1) as pool,
    ):
        for _ in range(5):
            assert server.score([[0.3]]).status_code == 200
        (busy,) = occupy(server, pool, 3.0, 1)
        for header in ("x-request-timeout-ms", "x-envoy-expected-rq-timeout-ms"):
            refused = server.score([[0.3]], headers={header: "100"})
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            assert "deadline" in refused.json()["error"]
        assert not busy.done()
        assert busy.result().status_code == 200
        for nonsense in ("0", "-1", "1e3", "soon", "9" * 10):
            answer = server.score([[0]], headers={"x-request-timeout-ms": nonsense})
            assert answer.status_code == 200


def test_the_time_that_a_body_takes_to_arrive_is_the_requests_own(
    scripted_model: Path, tmp_path: Path
):
    """The deadline counts from the first byte."""
    env = ONE_WORKER | {"SCORING_DEADLINE_MS": "500"}
    with (
        serving(scripted_model, tmp_path, **env) as server,
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection,
    ):
        connection.sendall(SCORE % 5)
        connection.sendall(b"[[")
        time.sleep(0.6)
        connection.sendall(b"0]]")
        assert int(connection.recv(100).split()[1]) in (503, 504)


@pytest.mark.parametrize("closes", [True, False], ids=["closes", "sends no more"])
def test_nothing_is_computed_for_a_client_that_hung_up_in_the_queue(
    scripted_model: Path, tmp_path: Path, closes: bool
):
    """It counts as a client's error. One that only sends no more still reads its answer."""
    env = ONE_WORKER | {"SCORING_SLOTS": "1", "SCORING_LATENCY_OBJECTIVE_MS": "10000"}
    with serving(scripted_model, tmp_path, **env) as server, ThreadPoolExecutor(1) as pool:
        (busy,) = occupy(server, pool, 2.0, 1)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
            connection.sendall(SCORE.replace(b"\r\n\r\n", b"\r\nx-request-id: it\r\n\r\n") % 5)
            connection.sendall(b"[[0]]")
            until(lambda: server.get("/health").json()["in_flight"] == 2, "it waits for its turn")
            if not closes:
                connection.shutdown(socket.SHUT_WR)
                assert b'"predictions":[0.0]' in _body(connection)
        assert busy.result().status_code == 200
        (line,) = server.logged("it")
        assert line["status"] == (499 if closes else 200)
        health = server.get("/health").json()
        assert (health["client_error_count"], health["error_count"]) == (closes, 0)


def test_hardly_anything_is_computed_for_clients_that_leave(scripted_model: Path, tmp_path: Path):
    """At twice the capacity, with clients that leave after 300 ms, five of six scores are
    answers."""
    env = ONE_WORKER | {"SCORING_SLOTS": "1"}
    with serving(scripted_model, tmp_path, **env) as server, ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            server.score([[0.1]])
        before = _computed(server)

        def ask() -> bool:
            with server.new_client() as client, contextlib.suppress(httpx.TimeoutException):
                return client.post("/score", json=[[0.1]], timeout=0.3).status_code == 200
            return False

        asked = []
        for _ in range(120):
            asked.append(pool.submit(ask))
            time.sleep(0.05)
        answered = sum(future.result() for future in asked)
        until(lambda: server.get("/health").json()["in_flight"] == 0, "the rest is done")
        assert answered > 0
        assert _computed(server) - before <= 1.2 * answered


def _computed(server: Server) -> float:
    name = r'scoring_duration_seconds_count\{[^}]*stage="predict"[^}]*\} (\d+)'
    match = re.search(name, server.get("/metrics").text)
    assert match
    return float(match[1])


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
        assert server.score([[0]]).status_code == 503
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


def test_more_clients_than_places_are_all_answered_by_a_quick_model(
    demo_model: Path, tmp_path: Path
):
    """A model that takes microseconds answers all of a hundred clients at once; under azmlinfsrv's
    own worker, 40."""
    env = ONE_WORKER | {"SCORING_LATENCY_OBJECTIVE_MS": "10000"}  # the machine may be slow
    with (
        serving(demo_model, tmp_path, **env) as server,
        ThreadPoolExecutor(100 if server.kind == "ours" else 40) as clients,
    ):
        statuses = list(
            clients.map(
                lambda _: server.fresh("POST", "/score", [support.ROW]).status_code, range(1000)
            )
        )
        assert set(statuses) == {200}


@pytest.mark.any_worker  # gunicorn's own computes on threads
def test_a_quick_model_that_gets_too_much_still_answers_probes(demo_model: Path, tmp_path: Path):
    """While hundreds of clients send as fast as they can, every probe gets through, and every
    request is answered or refused."""
    body = orjson.dumps({"data": [support.ROW] * 100})
    head = f"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
    sent = f"{head}Content-Type: application/json\r\n\r\n".encode() + body
    with (
        serving(demo_model, tmp_path, **ONE_WORKER, SCORING_CACHE="off") as server,
        contextlib.ExitStack() as stack,
    ):
        address = ("127.0.0.1", server.port)
        for _ in range(5):
            sockets = [
                stack.enter_context(socket.create_connection(address, PATIENCE)) for _ in range(150)
            ]
            for connection in sockets:
                connection.sendall(sent)
            assert server.fresh("GET", "/liveness").status_code == 200
            statuses = {_status(connection) for connection in sockets}
            assert 200 in statuses
            assert statuses <= {200, 503}


def _status(connection: socket.socket) -> int:
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


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
