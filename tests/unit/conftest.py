from __future__ import annotations

import contextlib
import io
import pickle
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest

from mlops.converter import Convert, converter, hand_over
from mlops.graphs import Converted, onnx_graphs
from mlops.say import Say

if TYPE_CHECKING:
    from redis_server import Valkey


@pytest.fixture(autouse=True, scope="session")
def _converted_in_this_process() -> Iterator[None]:
    """Convert in this process: one per conversion costs seconds, and test_converter.py tests it."""
    with pytest.MonkeyPatch.context() as patch:
        # mlops.package, which loads for seconds, takes it from there when a test imports it.
        patch.setattr("mlops.converter.converter", _in_this_process)
        if package := sys.modules.get("mlops.package"):
            patch.setattr(package, "converter", _in_this_process)
        yield


def _in_this_process() -> AbstractContextManager[Convert]:
    return contextlib.nullcontext(_converted)


def _converted(estimator: Any, width: int, say: Say) -> Iterator[Converted]:
    file = io.BytesIO()
    hand_over(estimator, file)
    return onnx_graphs(pickle.load(file), width)


@pytest.fixture(autouse=True, scope="session")
def _loaded_in_this_process() -> Iterator[None]:
    """Load no artifact in a new process: one takes seconds, and test_own_code.py tests it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlops.fresh_process.check_loads", lambda *_: None)
        yield


@pytest.fixture
def own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in a process of its own, as for users."""
    monkeypatch.setattr("mlops.package.converter", converter)


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
