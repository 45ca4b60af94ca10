"""A region that dies under load, behind a Front Door as its documents say, with our client."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from azureml_scoring.client.authorization import Authorization
from azureml_scoring.client.errors import ScoreError
from azureml_scoring.client.exchange import Exchange
from front_door_splitter import FrontDoorSplitter

WEST, SWEDEN = "westeurope", "swedencentral"
CLIENTS, REQUESTS = 50, 10


class Site(httpx.AsyncBaseTransport):
    """Two regions behind a splitter. ``dead`` ones lose what they hold and what they get."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.holding: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.front_door = FrontDoorSplitter(
            {name: lambda name=name: 503 if name in self.dead else 200 for name in (WEST, SWEDEN)}
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        region = self.front_door.choose()
        with self._held(region):
            for _ in range(5):  # the model works
                await asyncio.sleep(0)
                if region in self.dead:
                    self.lost[region] += 1
                    raise httpx.ReadError("the region is gone", request=request)
        self.answered[region] += 1
        return httpx.Response(200, stream=httpx.ByteStream(b'{"predictions": [1]}'))

    @contextmanager
    def _held(self, region: str) -> Iterator[None]:
        self.holding[region] += 1
        try:
            yield
        finally:
            self.holding[region] -= 1


async def ask(site: Site, requests: int) -> int:
    """Send so many requests in a row, as our client does; return how many have no answer."""

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    unanswered = 0
    async with httpx.AsyncClient(transport=site) as http:
        client = Exchange(http, "https://front.door/score", {}, Authorization(None), 60, 5, at_once)
        for _ in range(requests):
            try:
                await client.predictions(b"[[1]]", 1)
            except ScoreError:
                unanswered += 1
    return unanswered


async def outage(site: Site, probes: int) -> tuple[int, int]:
    """Let a region die under load, and Front Door probe it so often at once; return what the region
    held, and how many requests have no answer."""
    asked = [asyncio.create_task(ask(site, REQUESTS)) for _ in range(CLIENTS)]
    while sum(site.answered.values()) < CLIENTS:
        await asyncio.sleep(0)
    held = site.holding[WEST]
    site.dead.add(WEST)
    for _ in range(probes):
        site.front_door.probe()
    return held, sum(await asyncio.gather(*asked))


def test_a_region_that_dies_loses_only_what_it_held():
    """Once two probes have failed. Our client sends what was lost again, and has an answer to
    all."""
    site = Site()
    held, unanswered = asyncio.run(outage(site, probes=2))
    assert held > 0
    assert site.lost == {WEST: held}
    assert unanswered == 0


def test_until_front_door_notices_requests_are_lost():
    """A client tries a lost answer once more only, which may meet the same region."""
    site = Site()
    held, unanswered = asyncio.run(outage(site, probes=1))
    assert site.lost[WEST] > held
    assert unanswered > 0


def test_front_door_chooses_as_its_documents_say():
    """Only 200 is healthy, weights count among the healthy, and none healthy is as all healthy."""
    status = {WEST: 200, SWEDEN: 200, "northeurope": 200}
    front_door = FrontDoorSplitter({name: lambda name=name: status[name] for name in status})
    front_door.set_weight(WEST, 100)

    def chosen(probed: int) -> Counter[str]:
        for _ in range(probed):
            front_door.probe()
        return Counter(front_door.choose() for _ in range(1900))

    assert 60 < chosen(0)[WEST] < 140  # 100 of 100 + 900 + 900
    status["northeurope"] = 204
    after = chosen(2)
    assert (after["northeurope"], after.total()) == (0, 1900)
    assert 140 < after[WEST] < 240  # 100 of 100 + 900
    status.update({WEST: 503, SWEDEN: 301})
    assert all(chosen(2)[name] for name in status)
    front_door.disable(WEST)
    assert chosen(0)[WEST] == 0
