"""A cache as one process has it, over a model that counts what it is asked."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

import support
from azureml_scoring.caching.lease import Leases
from azureml_scoring.caching.lookup import Computed
from azureml_scoring.caching.memory_tier import MemoryTier
from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.redis_tier import RedisTier
from azureml_scoring.caching.tier import MeasuredTier
from azureml_scoring.inputs.batch import Batch
from azureml_scoring.models.model import Model
from azureml_scoring.request import ANYTHING, CacheState, Directive
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from cache import ResponseCache
from redis_server import Valkey

MODEL = support.model()


class Computer:
    """Doubles each row's first value; counts its calls and the rows it saw."""

    def __init__(self) -> None:
        self.calls = 0
        self.rows: list[float] = []
        self.hold: Callable[[], object] = lambda: None
        self.error: Exception | None = None
        self.shareable = True

    def __call__(self, batch: Batch) -> Computed:
        self.calls += 1
        self.rows += batch.X[:, 0].tolist()
        self.hold()
        if self.error:
            raise self.error
        return Computed((batch.X[:, 0] * 2).tolist(), self.shareable)


class Setup:
    """A cache, as one process has it, and what it counted."""

    def __init__(
        self, tiers: str, server: Valkey | None = None, *, lease: float = 0, **options: Any
    ) -> None:
        self.row = WorkerRow()
        counts = CacheCounts(lambda: self.row)
        made: list[Any] = []
        leases = None
        if "memory" in tiers:
            made.append(MemoryTier(1_000_000, counts))
        if "redis" in tiers:
            assert server
            link = RedisLink(server.connect, lambda client: client.get("trial"), counts, budget=5)
            made.append(RedisTier(link, counts))
            leases = Leases(link, made[-1], duration=lease) if lease else None
            self.settle = lambda: until(lambda: link._pending._value == 256)
        else:
            self.settle = lambda: None
        measured = [MeasuredTier(tier, counts, must_pay=False) for tier in made]
        self.cache = ResponseCache(measured, counts, leases=leases, **options)
        self.compute = Computer()

    def ask(
        self,
        rows: list[list[float]],
        directive: Directive = ANYTHING,
        model: Model = MODEL,
        method: str = "predict",
    ) -> tuple[list[Any], CacheState]:
        batch = Batch(np.array(rows, dtype=float), method)
        answer = self.cache.predictions(
            model, batch, directive, self.compute, time.monotonic() + 30
        )
        self.settle()
        return orjson.loads(answer.json), answer.state


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


NO_CACHE, NO_STORE = Directive(look_up=False), Directive(look_up=False, store=False)
