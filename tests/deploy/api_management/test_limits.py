"""Who may call, how much and how often."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from apim.counters import BEGINNING
from apim.messages import Headers, Request
from apim.world import LIMIT, PRODUCTS, START, World, refusal
from azureml_scoring import errors


def test_no_key(world: World) -> None:
    """Without a valid subscription key the answer is 401 in our format, and the endpoint gets
    nothing."""
    none = Request(headers=Headers({"Content-Length": "20", "x-request-id": "order-17"}))
    assert (
        refusal(world.gateway.handle(none), 401, "subscription_key_missing")["metadata"][
            "request_id"
        ]
        == "order-17"
    )
    refusal(world.call(Ocp_Apim_Subscription_Key="stolen"), 401, "subscription_key_invalid")
    assert world.seen == []


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [
        (0, 200, ""),
        (LIMIT, 200, ""),
        (LIMIT + 1, 413, "payload_too_large"),
        (99_999_999_999, 413, "payload_too_large"),
        ("-1", 413, "payload_too_large"),
        ("5e6", 413, "payload_too_large"),
        (None, 411, "length_required"),
    ],
)
def test_size(world: World, length: int | str | None, status: int, code: str) -> None:
    """Exactly 5 MiB pass. One byte more is refused, as is a chunked body, which names no size."""
    response = world.call(length=length)
    if code:
        refusal(response, status, code)
    assert (response.status, len(world.seen)) == (status, int(status == 200))


def test_same_code_as_the_server() -> None:
    """The gateway's 413 has the code of the scoring server's."""
    assert errors.PayloadTooLarge.code == "payload_too_large"


def test_rate(world: World) -> None:
    """100 calls a minute from one address pass, the 101st gets Retry-After; other addresses are not
    affected."""
    for call in range(100):
        response = world.call()
        assert response.status == 200
        assert response.headers["x-ratelimit-remaining"] == str(99 - call)
        assert response.headers["x-ratelimit-limit"] == "100"
        world.now += timedelta(seconds=0.1)
    refused = world.call()
    refusal(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "50"
    assert world.call(ip="203.0.113.8").status == 200
    assert len(world.seen) == 101


def test_rate_is_a_sliding_window(world: World) -> None:
    """One more call passes as each of the 100 becomes a minute old."""
    statuses = []
    for _ in range(100):
        world.call()
        world.now += timedelta(milliseconds=100)
    for _ in range(3):
        world.now = max(world.now, START + timedelta(seconds=60))
        statuses += [world.call().status, world.call().status]
        world.now += timedelta(milliseconds=100)
    assert statuses == [200, 429] * 3


def test_refused_calls_do_not_prolong(world: World) -> None:
    """A caller that waits as Retry-After says is served, however many calls were refused before."""
    responses = [world.call() for _ in range(150)]
    assert [response.status for response in responses] == [200] * 100 + [429] * 50
    world.now += timedelta(seconds=int(responses[-1].headers["Retry-After"]))
    assert world.call().status == 200


@pytest.mark.parametrize("product", PRODUCTS)
def test_quota(product: str) -> None:
    """Call 1,000,001 of a subscription in 30 days gets 403 and the time to wait; other
    subscriptions are served, and this one again in the next period. All tiers do the same."""
    world = World(product)
    assert world.call().status == 200
    (quota,) = world.gateway.loader.quotas
    assert quota.spend(
        "a", 999_998, start=BEGINNING if product == "product.xml" else START - timedelta(days=10)
    )
    assert world.call().status == 200
    refused = world.call()
    refusal(refused, 403, "quota_exceeded")
    assert world.call(Ocp_Apim_Subscription_Key="key-b").status == 200
    world.now += timedelta(seconds=int(refused.headers["Retry-After"]) - 1)
    refusal(world.call(), 403, "quota_exceeded")
    world.now += timedelta(seconds=1)
    assert world.call().status == 200


@pytest.mark.parametrize(
    ("product", "start"),
    [("product.xml", BEGINNING), ("product-v2.xml", START - timedelta(days=10))],
)
def test_month(product: str, start: datetime) -> None:
    """A month is 30 days: by product from the subscription's start, ten days ago here; by key from
    a fixed date."""
    world = World(product)
    (quota,) = world.gateway.loader.quotas
    assert quota.spend("a", 1_000_000, start=start)
    month = timedelta(days=30)
    assert (
        int(world.call().headers["Retry-After"])
        == (month - (START - start) % month).total_seconds()
    )


def test_refused_calls_cost_no_quota(world: World) -> None:
    """Calls refused for size, rate or a missing length do not count towards the month."""
    (quota,) = world.gateway.loader.quotas
    assert world.call(length=None).status == 411
    assert world.call(length=LIMIT + 1).status == 413
    assert [world.call().status for _ in range(120)].count(
        200
    ) == 98  # these two do count towards the minute
    assert quota.spend("a", 1_000_000 - 98)
    assert not quota.spend("a", 1)
