from collections.abc import Iterator
from pathlib import Path

import pytest

import support
from blackbox.server import BARE, THREADS, Server, serving
from template import Started


def pytest_configure(config: pytest.Config) -> None:
    Server.kind = config.getoption("--worker")


PRODUCTION = {"DEPLOYMENT_NAME": "production"}


@pytest.fixture(scope="session")
def bare_demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the demo model under the server's bare defaults."""
    folder = tmp_path_factory.mktemp("bare")
    with serving(demo_model, folder, start=Started, **BARE | PRODUCTION) as server:
        yield server


@pytest.fixture(scope="session")
def threads_demo(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the demo model as `make serve` starts it, with two workers."""
    folder = tmp_path_factory.mktemp("threads")
    with serving(demo_model, folder, start=Started, **THREADS | PRODUCTION) as server:
        yield server


@pytest.fixture(scope="session", params=["bare", "threads"])
def demo(request: pytest.FixtureRequest) -> Server:
    """One demo server after the other. Both stay for the next file; a session fixture that starts
    the server of its parameter would stop it whenever that changes."""
    server: Server = request.getfixturevalue(f"{request.param}_demo")
    return server


@pytest.fixture(scope="session")
def scripted_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.scripted(tmp_path_factory.mktemp("scripted"))


@pytest.fixture(scope="session")
def slow_to_load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loads for LOAD_SECONDS, or fails to if those are negative."""
    return support.scripted(tmp_path_factory.mktemp("slow"), "SlowToLoad")
