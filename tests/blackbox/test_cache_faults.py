"""Faults of Redis under steady load: no request fails, no prediction is wrong, probes do not
change, and the cache recovers.

``make faults`` prints the table in docs/cache.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from blackbox.cache_load import FRESH, Load, Seen, score
from blackbox.redis_faults import FAULTS, PASSWORD, Fault, Place, environment
from blackbox.server import until
from redis_server import valkey

pytestmark = pytest.mark.any_worker

CALM, TROUBLE = 0.7, 2.0
"""Seconds of load before and during a fault."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


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
