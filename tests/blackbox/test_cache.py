"""The response cache as a client and an operator see it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import support
from azureml_scoring.caching.value import Entry, Seal
from blackbox.server import BARE, ONE_WORKER, THREADS, Server, serving, until
from redis_server import Valkey, valkey

pytestmark = pytest.mark.any_worker

SLOW = -1.0
"""The model takes a second."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.scripted(tmp_path_factory.mktemp("steady"), "Steady")


@pytest.fixture(scope="module", params=[BARE, ONE_WORKER], ids=["bare", "threads"])
def server(
    request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("cache")
    with serving(model, folder, **request.param, SCORING_CACHE_MUST_PAY="false") as started:
        yield started


@pytest.fixture(scope="module")
def redis() -> Iterator[Valkey]:
    with valkey() as started:
        yield started


def pod(model: Path, folder: Path, redis: Valkey, **env: str) -> Any:
    folder.mkdir(exist_ok=True)
    url = f"redis://127.0.0.1:{redis.port}"
    ours = (
        THREADS
        | {"REDIS_URL": url, "SCORING_CACHE_MUST_PAY": "false", "SCORING_CACHE_BUDGET_MS": "5000"}
        | env
    )
    return serving(model, folder, **ours)


@pytest.fixture(scope="module")
def signing(
    model: Path, redis: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server whose only tier is Redis, with signed values."""
    env = {
        "WORKER_COUNT": "1",
        "SCORING_CACHE_MAX_BYTES": "0",
        "SCORING_CACHE_KEY": "a key out of the vault",
    }
    with pod(model, tmp_path_factory.mktemp("signing"), redis, **env) as started:
        yield started


def state(server: Server, value: float, **headers: str) -> str:
    answer = server.score([[value]], headers=headers)
    assert answer.json()["predictions"] == [2 * value]
    return str(answer.json()["metadata"]["cache"])


def cache(server: Server) -> dict[str, Any]:
    block: dict[str, Any] = server.get("/health").json()["cache"]
    return block


def test_a_repeated_request_is_a_hit_with_fresh_metadata(server: Server):
    """A hit has its own id, time and duration; only the predictions are from the cache."""
    first, second = (
        server.score({"data": [[3]]}, headers={"x-request-id": name}).json()
        for name in ("first", "second")
    )
    assert (first["metadata"]["cache"], second["metadata"]["cache"]) == ("miss", "hit")
    assert first["predictions"] == second["predictions"] == [6.0]
    assert (first["metadata"]["request_id"], second["metadata"]["request_id"]) == (
        "first",
        "second",
    )
    assert first["metadata"]["timestamp"] <= second["metadata"]["timestamp"]
    assert [line["cache"] for line in server.logged("first", "second")] == ["miss", "hit"]


def test_equal_meaning_is_a_hit_whatever_the_json_looks_like(server: Server):
    """White space, 1 or 1.0, and the form of the body do not matter."""
    state(server, 1.0)
    for body in (b'{"data":[[1]]}', b'{ "method": "predict", "input_data": [[1.0]] }', b"[1e0]"):
        answer = server.client.post(
            "/score", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.json()["metadata"]["cache"] == "hit"


def test_cache_control_is_honoured(server: Server):
    """no-cache computes anew; no-store leaves no trace."""
    before = cache(server)["bypasses"]
    assert state(server, 5, **{"Cache-Control": "no-store"}) == "bypass"
    assert state(server, 5, **{"Cache-Control": "no-cache, max-age=0"}) == "bypass"
    assert state(server, 5) == "hit"
    assert state(server, 5, **{"Cache-Control": "No-Cache"}) == "bypass"
    assert cache(server)["bypasses"] == before + 3


def test_equal_requests_at_once_are_computed_once(model: Path, tmp_path: Path):
    """The other requests get what the first one computes."""
    with (
        serving(model, tmp_path, **ONE_WORKER) as server,
        ThreadPoolExecutor(20) as clients,
    ):
        states = list(clients.map(lambda _: state(server, SLOW), range(20)))
        assert sorted(states) == ["hit"] * 19 + ["miss"]
        assert cache(server)["misses"] == 1


def test_errors_are_not_cached(tmp_path: Path):
    """Neither a client's error nor the model's is cached."""
    with serving(support.scripted(tmp_path, "Broken"), tmp_path) as server:
        for _ in range(2):
            assert server.score([[1.0]]).json()["code"] == "model_failed"
            assert server.score([["x"]]).json()["code"] == "wrong_type"
        assert cache(server)["hits"] == 0


def test_off_means_off(model: Path, tmp_path: Path):
    """The setting turns the cache off, and so does a model whose answers may vary."""
    with serving(model, tmp_path, SCORING_CACHE="off") as server:
        assert [state(server, 1) for _ in range(2)] == ["off", "off"]
        assert cache(server) == {"state": "off"}
    with serving(support.scripted(tmp_path / "dice", "Dice"), tmp_path) as server:
        answers = [server.score([[1.0]]).json() for _ in range(2)]
        assert [answer["metadata"]["cache"] for answer in answers] == ["off", "off"]
        assert answers[0]["predictions"] != answers[1]["predictions"]
        assert cache(server)["state"].startswith("off: the model")


def test_by_row_known_rows_are_not_computed_again(model: Path, tmp_path: Path):
    """A batch is fast if its slow row is known."""
    with serving(
        model, tmp_path, SCORING_CACHE_BY_ROW="true", SCORING_CACHE_MUST_PAY="false"
    ) as server:
        server.score([[1.0], [2.0]])
        answer = server.score([[2.0], [3.0], [1.0]]).json()
        assert (answer["predictions"], answer["metadata"]["cache"]) == ([4.0, 6.0, 2.0], "miss")
        assert server.score([[3.0], [2.0]]).json()["metadata"]["cache"] == "hit"


def test_pods_share_what_is_in_redis_and_versions_do_not(
    model: Path, tmp_path: Path, redis: Valkey
):
    """A new pod starts warm; after an upgrade nothing old is answered."""
    one = {"WORKER_COUNT": "1", "MODEL_NAME": "shared"}
    with pod(model, tmp_path / "a", redis, **one, MODEL_VERSION="1") as first:
        assert state(first, 7) == "miss"
        until(lambda: redis.admin.keys("azureml-scoring:shared:1:*"), "it is stored")
        with pod(model, tmp_path / "b", redis, **one, MODEL_VERSION="1") as second:
            assert state(second, 7) == "hit"
            assert cache(second)["redis"]["hits"] == 1
        with pod(model, tmp_path / "c", redis, **one, MODEL_VERSION="2") as upgraded:
            assert state(upgraded, 7) == "miss"


@pytest.mark.parametrize(
    "predictions", [b"[666.0]", b'[666.0],"injected":"<script>"', b'["\xff"]', b"[1,2]"]
)
def test_who_may_write_to_redis_can_not_answer_without_the_key(
    signing: Server, redis: Valkey, predictions: bytes
):
    """A value in our format but unsigned is a miss: the model answers, and its answer replaces the
    value."""
    value = 1000.0 + sum(predictions)
    assert state(signing, value) == "miss"
    until(lambda: state(signing, value) == "hit", "it is stored")
    for key in redis.admin.scan_iter(match="azureml-scoring:*"):
        redis.admin.set(key, Seal().close(key, Entry(predictions, time.time() + 1000)))
    assert state(signing, value) == "miss"
    until(lambda: state(signing, value) == "hit", "it is stored again")


def test_with_leases_two_pods_compute_once(model: Path, tmp_path: Path, redis: Valkey):
    """The second pod waits for the first."""
    lease = {"SCORING_CACHE_LEASE_MS": "20000", "MODEL_NAME": "leased"}
    with (
        pod(model, tmp_path / "a", redis, **lease) as first,
        pod(model, tmp_path / "b", redis, **lease) as second,
        ThreadPoolExecutor(8) as clients,
    ):
        states = list(clients.map(lambda i: state((first, second)[i % 2], SLOW), range(8)))
        assert sorted(states) == ["hit"] * 7 + ["miss"]


@pytest.mark.parametrize("preload", ["false", "true"])
def test_counts_are_of_all_workers_and_survive_them(
    model: Path, tmp_path: Path, redis: Valkey, preload: str
):
    """Counts are right even if workers are forked after init(), each with its own connection."""
    with pod(
        model, tmp_path, redis, WORKER_PRELOAD=preload, MODEL_NAME=f"counted-{preload}"
    ) as server:
        for value in range(20):
            server.fresh("POST", "/score", [[value]])
        until(
            lambda: len(redis.admin.keys(f"azureml-scoring:counted-{preload}:*")) == 20,
            "all are stored",
        )
        for value in range(20):
            assert server.fresh("POST", "/score", [[value]]).json()["metadata"]["cache"] == "hit"
        counted = cache(server)
        assert (counted["hits"], counted["misses"], counted["hit_rate_percent"]) == (20, 20, 50.0)
        assert counted["memory"]["hits"] + counted["redis"]["hits"] == 20
        for worker in server.workers():
            os.kill(worker, signal.SIGKILL)

        def taken_over() -> Any:
            with contextlib.suppress(httpx.TransportError):
                block = server.fresh("GET", "/health").json()["cache"]
                return block if block["memory"]["entries"] == 0 else None
            return None

        assert until(taken_over, "new workers have taken over")["hits"] == 20


def test_where_it_does_not_pay_it_is_bypassed_and_says_so(
    model: Path, tmp_path: Path, redis: Valkey
):
    """Redis is bypassed for a model that answers faster; the memory tier is judged separately."""
    with pod(
        model,
        tmp_path,
        redis,
        SCORING_CACHE_MUST_PAY="true",
        SCORING_CACHE_MAX_BYTES="0",
        WORKER_COUNT="1",
    ) as server:
        until(
            lambda: (
                [state(server, value) for value in range(100)]
                and cache(server)["redis"]["look_up_us"]
            ),
            "measured",
        )
        block = cache(server)
        dearer = block["redis"]["look_up_us"] - block["compute_us"]  # both are rounded
        assert dearer >= 0 if block["redis"]["state"].startswith("bypassed") else dearer <= 0


def test_no_secret_is_shown(model: Path, tmp_path: Path):
    """No secret is in the log, in /health or in an answer, whether Redis runs or not."""
    secret = "hunter2-and-more"
    env = {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": "1",
        "REDIS_PASSWORD": secret,
        "REDIS_SSL": "false",
    }
    env["SCORING_CACHE_KEY"] = secret
    with serving(model, tmp_path, **env) as server:
        answer = server.score([[1.0]])
        assert secret not in server.log + answer.text + server.get("/health").text
        until(lambda: "Redis failed (ConnectionError)" in server.log, "the failure is told")
    with serving(
        model, tmp_path, up=False, REDIS_URL=f"rediss://:{secret}@", SCORING_CACHE="redis"
    ) as server:
        server.process.wait(60)
        assert "REDIS_URL is not usable" in server.log
        assert secret not in server.log
