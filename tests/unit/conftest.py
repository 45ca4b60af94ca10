from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from redis_server import Valkey


@pytest.fixture(autouse=True, scope="session")
def _usual_sample_s() -> Iterator[float]:
    """Shorten the trial of a model that is loaded, of most loads the longest part; return how long
    its samples usually are."""
    from azureml_scoring.models import concurrency_trial

    usual_s = concurrency_trial.MIN_SAMPLE_S
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concurrency_trial, "MIN_SAMPLE_S", 0.0)
        yield usual_s


@pytest.fixture
def whole_trial(_usual_sample_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Try a model as long as for users."""
    from azureml_scoring.models import concurrency_trial

    monkeypatch.setattr(concurrency_trial, "MIN_SAMPLE_S", _usual_sample_s)


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in a process of its own, as for users."""
    from one_process import converter

    monkeypatch.setattr("mlops.package.converter", converter)


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Package without a compiled form: its proof takes most of the time, and has its own tests."""
    monkeypatch.setattr("mlops.package.compiled_form", lambda *_, **__: (None, {}))


def pytest_report_header() -> str:
    if shutil.which("redis-server"):
        return "redis-server: found, so the cache is tested on it too, over its own TLS"
    return (
        "redis-server: NOT FOUND, so the cache is tested on Valkey only; "
        "get it by `apt-get install redis-server`"
    )


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[Valkey]:
    from redis_server import valkey

    with valkey() as server:
        yield server


@pytest.fixture
def redis_server(_redis_server: Valkey) -> Valkey:
    """Return a real Redis or Valkey server, emptied."""
    _redis_server.admin.flushall()
    _redis_server.admin.config_resetstat()
    return _redis_server


@pytest.fixture(scope="session")
def tls_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a client of Debian's Redis, from the settings that a user would give."""
    import trustme

    from azureml_scoring import settings
    from azureml_scoring.caching.redis_client import connector
    from redis_server import redis_over_tls

    folder = tmp_path_factory.mktemp("tls")
    with redis_over_tls(folder, trustme.CA()) as port:
        env = {
            "REDIS_HOST": "localhost",
            "REDIS_PORT": str(port),
            "REDIS_SSL_CA_CERTS": str(folder / "ca.pem"),
        }
        yield connector(settings.load(env | {"SCORING_CACHE_BUDGET_MS": "5000"}))()


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Valkey]:
    from redis_server import cluster

    with cluster() as server:
        yield server


@pytest.fixture
def import_path() -> Iterator[None]:
    """Undo what loading a model's own code does to the import path."""
    before = [*sys.path], [*sys.path_hooks]
    yield
    sys.path[:], sys.path_hooks[:] = before
