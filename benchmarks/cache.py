"""Measures what the response cache costs and saves: ``make bench-cache``.

The servers are real ones, as ``make serve`` starts them, with one worker and a local Valkey. Times
are those in the answers (``inference_time_ms``), so they exclude the client. The cases of a model
take turns of a few requests each, so that a change of the machine's speed affects all alike.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson
from sklearn.ensemble import RandomForestClassifier

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

import support  # noqa: E402  models and servers of the tests
from azureml_scoring import log  # noqa: E402
from azureml_scoring.application import start  # noqa: E402
from azureml_scoring.caching.lookup import Computed  # noqa: E402
from azureml_scoring.caching.memory_tier import MemoryTier  # noqa: E402
from azureml_scoring.caching.tier import MeasuredTier  # noqa: E402
from azureml_scoring.caching.value import Entry, Seal  # noqa: E402
from azureml_scoring.http.endpoint import ScoringEndpoint  # noqa: E402
from azureml_scoring.http.pages import pages_of  # noqa: E402
from azureml_scoring.inputs.batch import Batch  # noqa: E402
from azureml_scoring.request import ANYTHING  # noqa: E402
from azureml_scoring.settings import Settings  # noqa: E402
from azureml_scoring.shared.cache_counts import CacheCounts  # noqa: E402
from azureml_scoring.shared.scoreboard import WorkerRow  # noqa: E402
from blackbox.server import THREADS, Server, serving  # noqa: E402
from cache import ResponseCache  # noqa: E402
from redis_server import valkey  # noqa: E402

TURNS, IN_A_ROW = 100, 5
WARM_UP = 20
CLIENTS = 200
ONE = THREADS | {"WORKER_COUNT": "1", "SCORING_CACHE_MUST_PAY": "false"}

CASES: dict[str, tuple[dict[str, str], bool, dict[str, str]]] = {
    "no cache": ({"SCORING_CACHE": "off"}, False, {}),
    "hit in process": ({"SCORING_CACHE": "memory"}, True, {}),
    "hit in Redis": ({"SCORING_CACHE": "redis", "SCORING_CACHE_MAX_BYTES": "0"}, True, {}),
    "miss in process": ({"SCORING_CACHE": "memory"}, False, {}),
    "miss in process and Redis": ({"SCORING_CACHE": "redis"}, False, {}),
    "bypass": ({"SCORING_CACHE": "redis"}, False, {"Cache-Control": "no-store"}),
    "bypass, Redis gone": (
        {"SCORING_CACHE_MAX_BYTES": "0", "REDIS_URL": "redis://127.0.0.1:1"},
        False,
        {},
    ),
}
"""The cases: settings of the server, whether all requests have the same row, and headers."""


def servers(
    model: Path, backend: str, folder: Path, redis: str, stack: ExitStack
) -> dict[str, Server]:
    started = {}
    for name, (env, _, _) in CASES.items():
        place = folder / name
        place.mkdir()
        started[name] = stack.enter_context(
            serving(model, place, **(ONE | {"REDIS_URL": redis, "SCORING_BACKEND": backend} | env))
        )
    return started


def rows() -> Iterator[list[float]]:
    """Yield rows that are all different."""
    for i in itertools.count(1):
        yield [*support.ROW[:-1], support.ROW[-1] + i / 1000]


def forest(folder: Path) -> Path:
    X, y = support.diabetes()
    estimator = RandomForestClassifier(500, random_state=0, n_jobs=1).fit(X, y)
    return support.packaged(estimator, X, folder, name="forest", version="1")


def demo(folder: Path) -> Path:
    X, _ = support.diabetes()
    return support.packaged(support.demo_estimator(), X, folder, name="demo", version="1")


def time_cases(model: Path, backend: str, redis: str) -> dict[str, float]:
    """Return the median milliseconds in the server for each case."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    fresh = rows()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        started = servers(model, backend, Path(folder), redis, stack)
        for turn, (name, (_, same, headers)) in itertools.product(
            range(WARM_UP + TURNS), CASES.items()
        ):
            for _ in range(IN_A_ROW):
                row = support.ROW if same else next(fresh)
                metadata = started[name].score([row], headers=headers).json()["metadata"]
                if turn >= WARM_UP:
                    expected = "off" if name == "no cache" else name.split()[0].strip(",")
                    assert metadata["cache"] == expected, (name, metadata)
                    times[name].append(metadata["inference_time_ms"])
    return {name: statistics.median(taken) for name, taken in times.items()}


def stampede(model: Path, backend: str) -> int:
    """Return how often the model was called for CLIENTS equal requests at once."""
    threads = {"GUNICORN_CMD_ARGS": f"{THREADS['GUNICORN_CMD_ARGS']} --threads {CLIENTS + 20}"}
    room = {
        "SCORING_BACKEND": backend,
        "SCORING_MAX_IN_FLIGHT": str(CLIENTS),
        "SCORING_LATENCY_OBJECTIVE_MS": "20000",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(model, Path(folder), **(ONE | threads), **room) as server,
    ):
        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = list(
                clients.map(lambda _: server.fresh("POST", "/score", [support.ROW]), range(CLIENTS))
            )
        assert {answer.status_code for answer in answers} == {200}
        misses: int = server.get("/health").json()["cache"]["misses"]
        return misses


def hit_rate(distinct: int, requests: int, max_bytes: int) -> float:
    """Return the hit rate, in percent, for rows drawn by Zipf's law with exponent 1.1."""
    row = WorkerRow()
    counts = CacheCounts(lambda: row)
    memory = MemoryTier(max_bytes, counts)
    cache = ResponseCache([MeasuredTier(memory, counts, must_pay=False)], counts)
    model, computed = support.model(), 0

    def compute(batch: Batch) -> Computed:
        nonlocal computed
        computed += 1
        return Computed([1], shareable=True)

    ranks = np.arange(1, distinct + 1) ** -1.1
    for value in np.random.default_rng(0).choice(distinct, requests, p=ranks / ranks.sum()):
        batch = Batch(np.array([[value, 0.0]]), "predict")
        cache.predictions(model, batch, ANYTHING, compute, time.monotonic() + 1)
    return 100 * (1 - computed / requests)


def bytes_per_entry() -> tuple[float, int]:
    """Return the bytes of the demo's answer to one row, in a worker's memory and in Redis."""
    row = WorkerRow()
    counts = CacheCounts(lambda: row)
    memory = MemoryTier(10**9, counts)
    count, key = 20_000, b"azureml-scoring:diabetes-classifier:v1.0.0:%044d"
    for i in range(count):
        memory.put({key % i: Entry(b"[%d]" % (i % 2), time.time() + 3600 + i / count)})
    with valkey() as server:
        server.admin.set(
            key % 1, Seal().close(key % 1, Entry(b"[1]", time.time() + 3600)), px=3_600_000
        )
        used: int = server.admin.memory_usage(key % 1)
    return row.cache.memory_bytes / count, used


def hit_and_probe(model: Path) -> dict[str, float]:
    """Return the least microseconds of our code for a hit in memory and for the probes."""
    settings = Settings(
        azureml_model_dir=model, scoring_cache="memory", scoring_cache_must_pay=False
    )
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        log.set_up()
        application = start(settings)
        pages = pages_of(application.health, application.metrics)
        endpoint = ScoringEndpoint(application.service, application.reader, pages)
        body = orjson.dumps({"data": [support.ROW]})
        requests = {
            "a hit": ("POST", "/score"),
            "liveness": ("GET", "/liveness"),
            "readiness": ("GET", "/readiness"),
        }

        def ask(method: str, path: str) -> None:
            environ = {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(body)),
            }
            if endpoint.scores(environ):
                with endpoint.at_once(1) as due:
                    endpoint.score(environ, body, due, time.perf_counter())
            else:
                endpoint.page(environ)

        turns = [
            {
                name: timeit.timeit(lambda to=to: ask(*to), number=200) / 200
                for name, to in requests.items()
            }
            for _ in range(30)
        ]
    return {name: 1e6 * min(turn[name] for turn in turns) for name in requests}


def table(title: str, times: dict[str, float]) -> list[str]:
    base = times["no cache"]
    lines = [f"| {title} | ms | of no cache |", "|---|---:|---:|"]
    return lines + [f"| {name} | {ms:.2f} | {ms / base:.2f} |" for name, ms in times.items()] + [""]


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, valkey() as redis:
        url = f"redis://127.0.0.1:{redis.port}"
        models: dict[str, tuple[Callable[[Path], Path], str]] = {
            "Demo model, ONNX": (demo, "onnx"),
            "Forest of 500 trees, scikit-learn": (forest, "sklearn"),
        }
        for title, (make, backend) in models.items():
            model = make(Path(scratch) / title)
            print(
                f"{title}: {len(CASES)} servers, {WARM_UP + TURNS} turns of {IN_A_ROW} requests",
                file=sys.stderr,
            )
            print(*table(title, time_cases(model, backend, url)), sep="\n", flush=True)
            if backend == "onnx":
                costs = hit_and_probe(model)
                print(
                    f"Our code: {', '.join(f'{name} {us:.0f} µs' for name, us in costs.items())}\n"
                )
        calls = stampede(model, backend)
        print(
            f"Model calls for {CLIENTS} equal requests at once: {calls} (without a cache: "
            f"{CLIENTS})\n"
        )
    distinct = 10_000
    print(
        f"| Requests by Zipf's law over {distinct:,} rows | Hit rate, "
        "all fit | Hit rate, a tenth fits |"
    )
    print("|---:|---:|---:|")
    for requests in (10_000, 50_000, 200_000):
        all_fit, tenth = (
            hit_rate(distinct, requests, size) for size in (10**9, distinct // 10 * 604)
        )
        print(f"| {requests:,} | {all_fit:.1f} % | {tenth:.1f} % |", flush=True)
    in_process, in_redis = bytes_per_entry()
    print(
        f"\nBytes an entry (demo model, one row): {in_process:.0f} in a worker, {in_redis} in Redis"
    )


if __name__ == "__main__":
    main()
