from collections.abc import Iterator

import pytest

from redis_server import Valkey, cluster, valkey


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[Valkey]:
    with valkey() as server:
        yield server


@pytest.fixture
def redis_server(_redis_server: Valkey) -> Valkey:
    """A real server, empty."""
    _redis_server.admin.flushall()
    _redis_server.admin.config_resetstat()
    return _redis_server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Valkey]:
    with cluster() as server:
        yield server
