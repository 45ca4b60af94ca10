from pathlib import Path

import pytest

from deploy.checkout import Checkout
from kusto.logged import Logged
from kusto.parser import FILES, QUERIES, Query, parse


@pytest.fixture
def checkout(tmp_path: Path, demo_model: Path) -> Checkout:
    return Checkout(tmp_path / "checkout", demo_model)


@pytest.fixture(scope="module")
def shared_checkout(tmp_path_factory: pytest.TempPathFactory, demo_model: Path) -> Checkout:
    """A checkout for many examples, each of which rewrites only the file that it changes."""
    return Checkout(tmp_path_factory.mktemp("shared") / "checkout", demo_model)


@pytest.fixture(scope="session")
def queries() -> dict[str, Query]:
    """The queries of infrastructure/queries/, by pack and name."""
    return parse({name: (QUERIES / f"{name}.kql").read_text() for name in FILES})


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """The log and answers of a real server, as they arrive in Log Analytics."""
    return Logged(tmp_path_factory.mktemp("logged"))
