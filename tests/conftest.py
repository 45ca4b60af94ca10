import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

FIXED = {"derandomize": True, "deadline": None, "database": None, "print_blob": True}
settings.register_profile("here", **FIXED, max_examples=25)
settings.register_profile("quick", **FIXED, max_examples=10)
settings.register_profile("deep", **FIXED | {"derandomize": False}, max_examples=300)
settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--worker",
        choices=["ours", "gunicorn"],
        default="ours",
        help="Which serves in the black-box tests.",
    )
    parser.addoption(
        "--sweep", type=Path, help="Go through all of scikit-learn, and write the table there."
    )
    parser.addoption(
        "--parity-hunt", type=float, metavar="MINUTES", help="How long to try random pipelines."
    )
    parser.addoption("--parity-seed", type=int, help="Try only this random pipeline.")
    parser.addoption("--interop", type=Path, help="The page for the tables of tests/interop.")
    parser.addoption(
        "--pictures", type=Path, help="Folder for those of the docs; else they are thrown away."
    )


@pytest.fixture(autouse=True, scope="session")
def _one_process() -> Iterator[None]:
    """Packaging in this process starts no others. A command in a process of its own does."""
    from one_process import one_process

    with one_process():
        yield


@pytest.fixture(scope="session")
def demo_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged demo model's folder, made by the first of the processes of this run."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with (place / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = place / "demo" / "artifact"
        return folder if folder.exists() else _packaged_demo(place / "demo")


def _packaged_demo(folder: Path) -> Path:
    import support

    X, _ = support.diabetes()
    return support.packaged(
        support.demo_estimator(),
        X,
        folder,
        name="diabetes-classifier",
        version="v1.2.3",
        golden_rows="sample",
    )
