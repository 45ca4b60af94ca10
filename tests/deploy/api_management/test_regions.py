"""What two regions behind Front Door ask of a gateway."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apim.gateway import PROBE
from apim.loading import CircuitOpen
from apim.world import World, refusal

FRONT_DOOR = "55ce4ed1-4b06-4bf1-b40e-4638452104da"


@pytest.fixture
def region() -> World:
    return World(front_door_id=FRONT_DOOR)


def through(region: World, client: str = "198.51.100.1", **headers: str) -> int:
    """Call as Front Door does, from one of its own addresses."""
    given = {"X_Azure_FDID": FRONT_DOOR, "X_Azure_SocketIP": client} | headers
    return region.call(ip="203.0.113.7", **given).status


@pytest.mark.parametrize("headers", [{}, {"X_Azure_FDID": FRONT_DOOR.replace("5", "6")}])
def test_a_way_round_front_door_is_refused(region: World, headers: dict[str, str]) -> None:
    """Whoever calls a region's gateway directly, or by a Front Door of their own, gets 403."""
    refusal(region.call(**headers), 403, "front_door_required")
    assert region.seen == []
    assert through(region) == 200


def test_each_client_behind_front_door_has_a_rate_of_its_own(region: World) -> None:
    """The address that connected to Front Door counts, not Front Door's, nor one that the client
    claims."""
    claims = [through(region, X_Azure_ClientIP=f"192.0.2.{n}") for n in range(101)]
    assert claims == [200] * 100 + [429]
    assert through(region, "198.51.100.2") == 200


def test_without_front_door_its_headers_mean_nothing(world: World) -> None:
    """A client can't get a fresh rate by naming another address."""
    calls = [world.call(X_Azure_SocketIP=f"192.0.2.{n}").status for n in range(101)]
    assert calls == [200] * 100 + [429]


def test_health_is_one_real_request(world: World) -> None:
    """It needs no key, and the endpoint gets the probe as any request, with the gateway's token."""
    assert world.health() == 200
    (request,) = world.seen
    assert (request.method, request.path, request.body) == ("POST", "/score", PROBE.encode())
    assert request.headers["Authorization"] == "Bearer token for https://ml.azure.com"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [201, 204, 401, 404, 424, 429, 500, 503])
def test_a_region_that_does_not_score_is_unhealthy(world: World, status: int) -> None:
    """All but 200 is 503: Front Door takes nothing else for healthy."""
    world.fails(status)
    assert world.health() == 503


@pytest.mark.parametrize("raised", [ConnectionError(), CircuitOpen(), TimeoutError()])
def test_a_region_that_is_not_reached_is_unhealthy(world: World, raised: Exception) -> None:
    """So is one whose circuit breaker is open, or that takes too long."""
    world.raises = raised
    assert world.health() == 503


def test_probes_do_not_load_the_endpoint(world: World) -> None:
    """Of all probes in ten seconds one reaches it, and a change is seen after that."""
    assert {world.health() for _ in range(500)} == {200}
    world.fails(503)
    assert (world.health(), len(world.seen)) == (200, 1)
    world.now += timedelta(seconds=10)
    assert {world.health() for _ in range(500)} == {503}
    assert len(world.seen) == 2
