"""A stand-in for Redis, and a link to it."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from azureml_scoring.caching.redis_breaker import FAILURES_TO_OPEN
from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.caching.value import Unavailable
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow


class Fake:
    """A stand-in for Redis: the client is this object, and an operation calls it."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.error:
            raise self.error
        return "answer"


def link(fake: Any, row: WorkerRow, budget: float = 5.0) -> RedisLink:
    return RedisLink(lambda: fake, lambda client: client(), CacheCounts(lambda: row), budget=budget)


def fail(asked: RedisLink, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable):
            asked.ask(lambda client: client())


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
