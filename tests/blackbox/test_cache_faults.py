"""Faults of Redis under steady load: no request fails, no prediction is wrong, probes do not
change, and the cache recovers.

``make faults`` prints the table in docs/cache.md.
"""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

import support
from blackbox.redis_proxy import TlsProxy, cut, faithful, garbage, moved, slow, tls_proxy
from blackbox.server import THREADS, Server, serving, until
from redis_server import Valkey, valkey

PASSWORD = "correct-horse"
CLIENTS = 3
CALM, TROUBLE = 0.7, 2.0
"""Seconds of load before and during a fault."""

FRESH = itertools.count(1_000_000)


@dataclass
class Place:
    """A server whose only cache is Redis, reached over TLS through the proxy."""

    server: Server
    redis: Valkey
    proxy: TlsProxy

    @property
    def admin(self) -> Any:
        return self.redis.admin


@dataclass
class Seen:
    """One answer."""

    ms: float
    right: bool
    cache: str = ""


@dataclass
class Load:
    """Clients that send requests without a pause, half of them for cached rows, and one that
    probes."""

    server: Server
    seen: list[Seen] = field(default_factory=list)
    probes: set[int] = field(default_factory=set)

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        jobs: list[Callable[[threading.Event], None]] = [self._ask] * CLIENTS + [self._probe]
        threads = [threading.Thread(target=job, args=(stop,)) for job in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _ask(self, stop: threading.Event) -> None:
        with self.server.new_client() as client:
            while not stop.is_set():
                value = float(random.choice([random.randrange(20), next(FRESH)]))
                self.seen.append(score(client, value))

    def _probe(self, stop: threading.Event) -> None:
        with self.server.new_client() as client:
            while not stop.wait(0.05):
                self.probes |= {
                    client.get(path).status_code for path in ("/readiness", "/liveness")
                }


def score(client: Any, value: float) -> Seen:
    answer = client.post("/score", json={"data": [[value]]})
    body = answer.json()
    if answer.status_code != 200:
        return Seen(0.0, right=False)
    metadata = body["metadata"]
    return Seen(
        metadata["inference_time_ms"], body["predictions"] == [2 * value], metadata["cache"]
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def environment(
    folder: Path, authority: trustme.CA, redis: Valkey, *, hidden: bool = False, **env: str
) -> Iterator[Place]:
    """Return the server's environment. ``hidden``: the port is closed at first."""
    certificates = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(certificates))
    with tls_proxy(redis.port, authority) as proxy:
        if hidden:
            proxy.close()
        ours = {
            "REDIS_HOST": "localhost",
            "REDIS_PORT": str(proxy.port),
            "REDIS_PASSWORD": PASSWORD,
            "REDIS_SSL_CA_CERTS": str(certificates),
            "SCORING_CACHE_MAX_BYTES": "0",
            "SCORING_CACHE_MUST_PAY": "false",
        }
        with serving(
            support.scripted(folder / "model", "Steady"), folder, **THREADS, **ours, **env
        ) as server:
            yield Place(server, redis, proxy)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("faults")
    with valkey(PASSWORD) as redis, environment(folder, authority, redis) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def table(pytestconfig: pytest.Config) -> Iterator[list[str]]:
    """Print the table at the end."""
    rows: list[str] = []
    yield rows
    header = (
        "| Fault | Requests | Failures | Median before, ms | Median during, ms "
        "| Worst added, ms | Recovery, s |"
    )
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("", header, "|---|" + "---:|" * 6, *rows, sep="\n")


def kill(place: Place) -> None:
    place.redis.kill()
    place.proxy.close()


def revive(place: Place) -> None:
    place.redis.restart()
    place.proxy.open()


def restart(place: Place) -> None:
    kill(place)
    revive(place)


def freeze(place: Place) -> None:
    place.redis.freeze()


def thaw(place: Place) -> None:
    place.redis.thaw()


def answering(answer: Any) -> Callable[[Place], None]:
    def misbehave(place: Place) -> None:
        place.proxy.answer = answer

    return misbehave


def behave(place: Place) -> None:
    place.proxy.answer = faithful


def vanish(place: Place) -> None:
    place.proxy.vanish()


def nothing(place: Place) -> None:
    """Repair nothing: the fault ends by itself."""


def other_password(place: Place) -> None:
    place.redis.set_password("another")
    place.proxy.hang_up()


def right_password(place: Place) -> None:
    place.redis.set_password(PASSWORD)


def other_host(place: Place) -> None:
    place.proxy.present("elsewhere.example")
    place.proxy.hang_up()


def other_authority(place: Place) -> None:
    place.proxy.present("localhost", trustme.CA())
    place.proxy.hang_up()


def right_certificate(place: Place) -> None:
    place.proxy.present("localhost")


def fill(place: Place) -> None:
    place.admin.config_set("maxmemory-policy", "noeviction")
    place.admin.config_set("maxmemory", 1)


def make_room(place: Place) -> None:
    place.admin.config_set("maxmemory", 0)


def become_replica(place: Place) -> None:
    place.admin.replicaof("127.0.0.1", "1")


def become_primary(place: Place) -> None:
    place.admin.replicaof("NO", "ONE")


def flush(place: Place) -> None:
    place.admin.flushall()


Fault = tuple[Callable[[Place], None], Callable[[Place], None]]
"""What begins it, and what ends it."""

FAULTS: dict[str, Fault] = {
    "killed": (kill, revive),
    "frozen (SIGSTOP)": (freeze, thaw),
    "2 s slow": (answering(slow(2)), behave),
    "half-open connections": (vanish, nothing),
    "reset in mid-answer": (answering(cut), behave),
    "wrong password": (other_password, right_password),
    "certificate of another host": (other_host, right_certificate),
    "certificate of an unknown authority": (other_authority, right_certificate),
    "out of memory, noeviction": (fill, make_room),
    "read-only replica": (become_replica, become_primary),
    "garbage in the protocol": (answering(garbage), behave),
    "restarted empty": (restart, nothing),
    "flushed": (flush, nothing),
    "MOVED answers": (answering(moved), behave),
}


def recover(place: Place) -> float:
    """Return the seconds until stored values are hits again and every worker's breaker is
    closed."""
    began = time.monotonic()

    def recovered() -> bool:
        value = float(next(FRESH))
        score(place.server.client, value)
        time.sleep(0.01)
        cached = score(place.server.client, value).cache == "hit"
        return (
            cached and place.server.get("/health").json()["cache"]["redis"]["breaker"] == "closed"
        )

    until(recovered, "Redis is used again")
    return time.monotonic() - began


def check(place: Place, name: str, table: list[str], fault: Fault) -> None:
    strike, heal = fault
    recover(place)
    load = Load(place.server)
    with load.running():
        time.sleep(CALM)
        calm = list(load.seen)
        strike(place)
        time.sleep(TROUBLE)
        heal(place)
        seconds = recover(place)
    table.append(row(name, calm, load.seen[len(calm) :], seconds))
    harmless(place, load)


def row(name: str, calm: list[Seen], trouble: list[Seen], seconds: float) -> str:
    wrong = sum(not seen.right for seen in calm + trouble)
    before, during = (statistics.median(seen.ms for seen in part) for part in (calm, trouble))
    worst = max(seen.ms for seen in trouble) - before
    requests = len(calm) + len(trouble)
    return (
        f"| {name} | {requests} | {wrong} | {before:.1f} | {during:.1f} "
        f"| {worst:.0f} | {seconds:.1f} |"
    )


def harmless(place: Place, load: Load) -> None:
    assert all(seen.right for seen in load.seen)
    assert load.probes == {200}
    assert place.server.process.poll() is None
    assert PASSWORD not in place.server.log


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_of_redis_reaches_a_request_or_a_probe(place: Place, table: list[str], name: str):
    """Every answer is right during the fault, and Redis is used again once it is over."""
    check(place, name, table, FAULTS[name])


def test_redis_may_come_after_the_service(tmp_path: Path, authority: trustme.CA, table: list[str]):
    """The service starts, is ready and answers without Redis, and uses it once it runs."""
    with valkey(PASSWORD) as redis, environment(tmp_path, authority, redis, hidden=True) as place:
        assert place.server.get("/readiness").status_code == 200
        load = Load(place.server)
        with load.running():
            time.sleep(TROUBLE)
            place.proxy.open()
            seconds = recover(place)
            trouble = list(load.seen)
            time.sleep(CALM)
        table.append(row("not there at start", load.seen[len(trouble) :], trouble, seconds))
        harmless(place, load)
