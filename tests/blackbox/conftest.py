from collections.abc import Iterator
from pathlib import Path

import pytest

import support
from blackbox.server import BARE, THREADS, Server, serving


def pytest_configure(config: pytest.Config) -> None:
    Server.kind = config.getoption("--worker")


CONFIGURATIONS = {"bare": BARE, "threads": THREADS}


@pytest.fixture(scope="session", params=CONFIGURATIONS)
def demo(
    request: pytest.FixtureRequest, demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run the demo model under the server's bare defaults, and as `make serve` starts it with two
    workers."""
    env = CONFIGURATIONS[request.param] | {"DEPLOYMENT_NAME": "production"}
    with serving(demo_model, tmp_path_factory.mktemp(request.param), **env) as server:
        yield server


@pytest.fixture(scope="session")
def scripted_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.scripted(tmp_path_factory.mktemp("scripted"))
