"""What clients see of a server that gets more requests than it can answer: who waits, who is
refused, and for whom nothing is computed."""

import contextlib
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

import support
from blackbox.server import (
    ONE_WORKER,
    PATIENCE,
    Server,
    answer_on,
    occupy,
    serving,
    until,
)

SCORE = (
    b"POST /score HTTP/1.1\r\nHost: h\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


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
                assert b'"predictions":[0.0]' in answer_on(connection)[1]
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
            statuses = {answer_on(connection)[0] for connection in sockets}
            assert 200 in statuses
            assert statuses <= {200, 503}
