"""Real clients and other servers, each in an environment of its own (`make interop`)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import support
from blackbox.server import HTTP, ONE_WORKER, PATIENCE, REPOSITORY, Server, serving, until

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import environments
from servers import BUILD

NAME, VERSION = "diabetes-classifier", "v1.2.3"
CALLS = Path(__file__).parent / "calls"


def python(environment: str) -> Path:
    """Return the Python of an environment, which is made if it is not there yet."""
    environments.install(environment)
    return BUILD / environment / "bin" / "python"


def call(environment: str, script: str, *words: str) -> str:
    """Run a script of ``calls/`` there, and return what it prints."""
    done = subprocess.run(
        [python(environment), CALLS / script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def rows() -> list[list[float]]:
    X, _ = support.diabetes()
    return X.iloc[:3].to_numpy().tolist()  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.dump(support.demo_estimator(), tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def ours(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(demo_model, tmp_path_factory.mktemp("ours"), **ONE_WORKER) as server:
        yield server


@pytest.fixture(scope="session")
def mlserver(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, ports = tmp_path_factory.mktemp("mlserver"), [support.free_port() for _ in range(3)]
    keys = ("http_port", "grpc_port", "metrics_port")
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False} | dict(
        zip(keys, ports, strict=True)
    )
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": NAME,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model_file), "version": VERSION},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))
    command = [python("mlserver").with_name("mlserver"), "start", folder]
    with running(command, folder, f"http://127.0.0.1:{ports[0]}", "/v2/health/ready") as url:
        yield url


@pytest.fixture(scope="session")
def mlflow_folder(
    model_file: Path, rows: list[list[float]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The model's folder, as MLflow writes it."""
    X, _ = support.diabetes()
    folder = tmp_path_factory.mktemp("mlflow")
    X.iloc[:5].to_csv(folder / "rows.csv", index=False)
    call("mlflow", "mlflow_save.py", *map(str, (model_file, folder / "rows.csv", folder / "m")))
    return folder / "m"


@pytest.fixture(scope="session")
def mlflow(mlflow_folder: Path) -> Iterator[str]:
    port = support.free_port()
    command = [
        *(python("mlflow").with_name("mlflow"), "models", "serve", "--model-uri", mlflow_folder),
        *("--port", str(port), "--env-manager", "local", "--host", "127.0.0.1"),
    ]
    with running(command, mlflow_folder.parent, f"http://127.0.0.1:{port}", "/health") as url:
        yield url


@contextlib.contextmanager
def running(command: list[Any], folder: Path, url: str, health: str) -> Iterator[str]:
    """Start a server and wait until it is healthy."""
    log = folder / "log.txt"
    path = f"{command[0].parent}:{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "PYTHONHASHSEED": "0"}  # errors list sets
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder, env=environ, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip

    def healthy() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return HTTP.get(url + health).status_code == 200
        return False

    try:
        until(healthy, f"{command[0].name} is healthy", patience=5 * PATIENCE)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="session")
def write(request: pytest.FixtureRequest) -> Callable[[str, list[str]], None]:
    """Writes the lines of a table into the page, below the comment with its name."""
    page: Path | None = request.config.getoption("--interop")

    def write_table(name: str, lines: list[str]) -> None:
        if page is not None:
            text = page.read_text(encoding="utf-8")
            before, mark, rest = text.partition(f"<!-- {name} -->\n")
            assert mark, f"{page} has no place for {name}"
            after = rest[rest.index(f"<!-- end of {name} -->") :]
            page.write_text(f"{before}{mark}{chr(10).join(lines)}\n{after}", encoding="utf-8")

    return write_table
