"""The log names what is wrong with Redis, seldom enough."""

import logging
from collections.abc import Callable

import pytest
from redis import exceptions

from azureml_scoring import log
from azureml_scoring.caching import redis_breaker
from azureml_scoring.caching.redis_breaker import FAILURES_TO_OPEN
from azureml_scoring.caching.redis_link import RedisLink
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow
from fake_redis import Fake, eventually, fail, link


@pytest.fixture
def logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], list[str]]:
    monkeypatch.setattr(log.logger, "propagate", True)
    caplog.set_level(logging.INFO, "scoring")
    return lambda: caplog.messages


def test_the_log_names_the_failure_and_what_to_do_and_no_secret(
    row: WorkerRow, logged: Callable[[], list[str]]
):
    """Each kind is logged once a minute, without the error's message: it may hold an address or a
    password."""
    fake = Fake()
    asked = link(fake, row)
    fake.error = exceptions.AuthenticationError("WRONGPASS for hunter2")
    fail(asked, 2 * FAILURES_TO_OPEN)
    (line,) = [message for message in logged() if "AuthenticationError" in message]
    assert "check REDIS_PASSWORD" in line
    assert "hunter2" not in "".join(logged())
    assert "Redis is left alone until it answers." in logged()


def test_the_log_says_once_a_minute_that_redis_still_fails(
    row: WorkerRow, logged: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
):
    """The lines go on while requests need Redis: RedisDown counts them."""
    monkeypatch.setattr(redis_breaker, "TRIAL_INTERVAL_S", 0.001)
    fake, clock = Fake(), [1000.0]
    asked = RedisLink(
        lambda: fake,
        lambda client: client(),
        CacheCounts(lambda: row),
        budget=5,
        clock=lambda: clock[0],
    )
    fake.error = exceptions.ConnectionError()
    fail(asked)

    def told_after_a_trial() -> int:
        before = fake.calls
        eventually(lambda: not asked.available() and fake.calls > before)
        eventually(lambda: not asked._trying.locked())
        return logged().count("Redis is left alone until it answers.")

    assert told_after_a_trial() == 1
    clock[0] += 59
    assert told_after_a_trial() == 1
    clock[0] += 2
    assert told_after_a_trial() == 2
