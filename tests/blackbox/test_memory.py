"""A worker's memory stays within the container's, whatever clients send, and probes are answered
meanwhile."""

import gzip
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest
import yaml

import support
from blackbox.server import REPOSITORY, THREADS, Server, serving
from template import Started

GIBIBYTE = 2**30
SIZE = 10_000_000
"""Bytes, as many as a body may have."""

VALID = orjson.dumps({"data": [support.ROW]})
BODIES = {
    "valid": VALID.ljust(SIZE),
    "brackets": b"[" * SIZE,
    "lists": b'{"data":[%s[]]}' % (b"[]," * (SIZE // 3 - 5)),
    "objects": b'{"data":[%s{}]}' % (b"{}," * (SIZE // 3 - 5)),
    "keys": b"{%s}" % b",".join(b'"%x":1' % number for number in range(SIZE // 11)),
    "numbers": b'{"data":[[%s1]]}' % (b"1," * (SIZE // 2 - 10)),
    "texts": b'{"data":[[%s1]]}' % (b'"",' * (SIZE // 3 - 5)),
    "wide text": b'{"data":[["%s\xf0\x9f\x98\x80"]]}' % (b"a" * (SIZE - 30)),
}
PLAIN, GZIP = {"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}
CLIENTS = 64


@pytest.fixture(scope="module")
def server(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env = THREADS | {
        "WORKER_COUNT": "1",
        "SCORING_CACHE": "off",
        "SCORING_MAX_BODY_BYTES_IN_FLIGHT": "64000000",
    }
    with serving(demo_model, tmp_path_factory.mktemp("memory"), start=Started, **env) as server:
        yield server


def memory(server: Server, field: str) -> int:
    """Return the worker's memory in bytes: VmRSS is the current, VmHWM the highest."""
    (worker,) = server.workers()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kilobytes) * 1024


def send(server: Server, body: bytes, headers: dict[str, str]) -> httpx.Response:
    with server.new_client() as client:
        return client.post("/score", content=body, headers=PLAIN | headers)


def container_limit() -> int:
    deployment = yaml.safe_load(
        (REPOSITORY / "kubernetes" / "base" / "deployment.yaml").read_text()
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    limit: str = container["resources"]["limits"]["memory"]
    return int(limit.removesuffix("Gi")) * GIBIBYTE


def test_no_mix_of_requests_takes_the_containers_memory(server: Server):
    """64 clients at once send ten kilobytes of gzip that expand to ten megabytes of each costly
    kind."""
    packed = {kind: gzip.compress(body, 9) for kind, body in BODIES.items()}
    before = memory(server, "VmRSS")
    with ThreadPoolExecutor(CLIENTS) as clients:
        sent = [
            (kind, clients.submit(send, server, body, GZIP))
            for kind, body in packed.items()
            for _ in range(CLIENTS // len(packed))
        ]
        probed = 0
        while not all(answer.done() for _, answer in sent):
            assert server.fresh("GET", "/liveness").status_code == 200
            probed += 1
    assert probed
    statuses = Counter((kind, answer.result().status_code) for kind, answer in sent)
    assert {status for kind, status in statuses if kind == "valid"} <= {200, 503}
    assert {status for kind, status in statuses if kind != "valid"} <= {400, 413, 422, 503}
    assert memory(server, "VmHWM") < container_limit()
    assert memory(server, "VmHWM") - before < container_limit() / 4
    assert memory(server, "VmRSS") - before < container_limit() / 16


def test_bodies_beyond_the_budget_are_told_to_come_again(server: Server):
    """Each client gets to read a 503 with Retry-After; when the others have finished, there is room
    again."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda _: send(server, BODIES["valid"], {}), range(40)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    assert 200 in {answer.status_code for answer in answers}
    assert send(server, BODIES["valid"], {}).status_code == 200
