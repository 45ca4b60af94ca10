import pytest

from azureml_scoring import settings
from azureml_scoring.caching.setup import response_cache
from azureml_scoring.errors import StartupError
from azureml_scoring.shared.cache_counts import CacheCounts
from azureml_scoring.shared.scoreboard import WorkerRow

REDIS = {"REDIS_URL": "redis://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environ", "tiers"),
    [
        ({}, ("memory",)),
        (REDIS, ("memory", "redis")),
        (REDIS | {"SCORING_CACHE": "memory"}, ("memory",)),
        (REDIS | {"SCORING_CACHE": "redis"}, ("memory", "redis")),
        (REDIS | {"SCORING_CACHE_MAX_BYTES": "0"}, ("redis",)),
        (REDIS | {"SCORING_CACHE": "off"}, ()),
        ({"SCORING_CACHE_MAX_BYTES": "0"}, ()),
        (
            {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "WORKER_PRELOAD": "true"},
            ("memory", "redis"),
        ),
    ],
)
def test_the_tiers_are_those_that_the_settings_ask_for(
    environ: dict[str, str], tiers: tuple[str, ...]
):
    """A laptop has memory only; with an address Redis comes behind it. The start succeeds even if
    Redis does not run."""
    row = WorkerRow()
    assert response_cache(settings.load(environ), CacheCounts(lambda: row)).tier_names == tiers


def test_redis_without_an_address_is_told():
    """The start fails rather than going on without Redis."""
    with pytest.raises(StartupError, match="set one of them"):
        response_cache(settings.load({"SCORING_CACHE": "redis"}), CacheCounts(WorkerRow))


@pytest.mark.parametrize("cluster", ["false", "true"])
def test_certificates_that_can_not_be_read_are_told(cluster: str):
    """The start fails, not the first request."""
    environ = {"REDIS_HOST": "h", "REDIS_SSL_CA_CERTS": "/no/such/file", "REDIS_CLUSTER": cluster}
    with pytest.raises(StartupError, match="REDIS_SSL_CA_CERTS can't be used"):
        response_cache(settings.load(environ), CacheCounts(WorkerRow))
