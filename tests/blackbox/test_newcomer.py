"""The README's promises to a new user."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import support
import template
from blackbox.server import HTTP, PATIENCE, REPOSITORY, Server, needs, until
from examples import few_of
from mlops.exit_status import ExitStatus
from processes import runs
from template import Started

pytestmark = pytest.mark.any_worker
BIN = Path(sys.executable).parent


class MakeServe:
    """`make serve` with its output."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, **variables: object
    ) -> None:
        needs("make")
        needs("curl")
        self.port = support.free_port()
        self.output = folder / "make.log"
        words = [f"{name}={value}" for name, value in ({"PORT": self.port} | variables).items()]
        outer = {
            name for name in os.environ if name.startswith("MAKE") or name == "MFLAGS"
        }  # of `make test`
        outer |= {"SCORING_CACHE", "REDIS_HOST", "REDIS_URL"}  # of whoever runs the tests
        env = {name: value for name, value in os.environ.items() if name not in outer}
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "serve", *words],
                cwd=REPOSITORY,
                env=env | Server.worker() | dict(environment or {}),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def curl(self) -> str:
        """The command that `make serve` prints once it is ready."""

        def printed() -> str | None:
            assert self.process.poll() is None, self.output.read_text()
            found = re.search(r"^curl .*$", self.output.read_text(), re.MULTILINE)
            return found and found[0]

        return str(until(printed, "a curl is printed"))

    def __enter__(self) -> "MakeServe":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(command: str) -> dict[str, object]:
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def lasting(answer: dict[str, Any]) -> list[tuple[str, object]]:
    """Return what is the same in every answer, in order: all but the id and the times."""
    metadata = answer["metadata"]
    passing = ("request_id", "inference_time_ms", "timestamp")
    return [
        ("predictions", answer["predictions"]),
        *((name, None if name in passing else value) for name, value in metadata.items()),
    ]


def test_make_serve_serves_the_demo_and_prints_a_curl_that_works(tmp_path: Path):
    """The curl gives predictions when pasted into a shell; the README shows it and its answer. The
    address of a page to try the model is printed too."""
    with MakeServe(tmp_path) as served:
        answer = run(served.curl())
        assert set(answer) == {"predictions", "metadata"}
        assert len(answer["predictions"]) == 2
        assert answer["metadata"]["model_name"] == "diabetes-classifier"
        (docs,) = until(
            lambda: re.findall(r"^In a browser: (.*)$", served.output.read_text(), re.MULTILINE),
            "printed",
        )
        assert HTTP.get(docs).headers["content-type"].startswith("text/html")
        readme = (REPOSITORY / "README.md").read_text()
        assert served.curl().replace(f":{served.port}/", ":5001/") in readme.splitlines()
        (shown,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
        assert lasting(json.loads(shown)) == lasting(answer)


def test_make_serve_takes_a_model_of_ones_own_and_workers(tmp_path: Path):
    """A bare pickle in any folder works with PORT and WORKER_COUNT, and the dashboard's address is
    printed.

    No traceback appears though azmlinfsrv can't read a folder that is not named as Azure's.
    """
    estimator, _ = support.plain_regression()
    folder = support.dump(estimator, tmp_path / "my model", "churn.pkl").parent
    with MakeServe(tmp_path, MODEL_DIR=folder, WORKER_COUNT=2, DASHBOARD="true") as served:
        assert run(served.curl())["predictions"] == [pytest.approx(0)]
        (watch,) = until(
            lambda: re.findall(r"^Watch it: (.*)$", served.output.read_text(), re.MULTILINE),
            "printed",
        )
        assert HTTP.get(watch).headers["content-type"].startswith("text/html")
        health = HTTP.get(f"http://127.0.0.1:{served.port}/health").json()
        assert health["model_name"] == "churn"
        until(
            lambda: served.output.read_text().count("ready for serving traffic") == 2,
            "both workers are up",
        )
        assert "Traceback" not in served.output.read_text()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that a server loads without scikit-learn, in a third of the time."""
    return support.scripted(tmp_path_factory.mktemp("steady"), "Steady")


STEADY = {"PYTHONPATH": str(support.MODELS)}
"""Where its class is."""


CACHES: dict[str, set[str]] = {"off": set(), "memory": {"memory"}, "redis": {"memory", "redis"}}
"""Values of CACHE, and the tiers that it brings."""


@pytest.mark.parametrize("cache", few_of(CACHES, ["redis"]))
def test_make_serve_takes_a_cache(tmp_path: Path, steady: Path, cache: str):
    """CACHE=redis starts a real Redis, which ends with the server, however that ends. `make deep`
    tries the other caches."""
    tiers = CACHES[cache]
    with MakeServe(tmp_path, STEADY, MODEL_DIR=steady, CACHE=cache) as served:
        states = [run(served.curl())["metadata"]["cache"] for _ in range(2)]
        assert states == (["miss", "hit"] if tiers else ["off", "off"])
        block = HTTP.get(f"http://127.0.0.1:{served.port}/health").json()["cache"]
        assert {"memory", "redis"} & set(block) == tiers
        if cache == "redis":
            (helper,) = [
                p
                for p in psutil.Process(served.process.pid).children(recursive=True)
                if runs(p, "local-redis")
            ]
            (server,) = helper.children()
            assert block["redis"]["errors"] == 0
    if cache == "redis":
        until(lambda: not (server.is_running() or helper.is_running()), "the local Redis has ended")


def test_make_serve_takes_the_cache_of_the_environment(tmp_path: Path, steady: Path):
    """The environment decides unless CACHE is given; the start prints which cache is used and
    why."""
    with MakeServe(tmp_path, STEADY | {"SCORING_CACHE": "off"}, MODEL_DIR=steady) as served:
        assert run(served.curl())["metadata"]["cache"] == "off"
        assert "Cache: off, because SCORING_CACHE names it.\n" in served.output.read_text()


OWN = """
from sklearn.linear_model import LinearRegression

class Double(LinearRegression):
    def predict(self, X):
        return super().predict(X) * 2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a model whose class is in a module beside it, with the name of one of our
    modules."""
    models = tmp_path / "project" / "models"
    models.mkdir(parents=True)
    (models / "metrics.py").write_text(OWN)
    train = (
        "import joblib, metrics, numpy as np; X = np.arange(12.0).reshape(6, 2); "
        "joblib.dump(metrics.Double().fit(X, X.sum(axis=1)), 'model.joblib')"
    )
    assert template.run("-c", train, cwd=models).returncode == 0
    (tmp_path / "project" / "rows.csv").write_text("a,b\n" + "1,2\n3,4\n5,7\n" * 5)
    return tmp_path / "project"


@pytest.mark.parametrize("served", few_of(["artifact", "models"], ["artifact"]))
def test_a_module_of_ones_own_is_found_beside_the_model(tmp_path: Path, project: Path, served: str):
    """mlops package copies it into the artifact, and make serve finds it there; in `make deep` also
    beside a model that is not packaged."""
    if served == "artifact":
        package = (BIN / "mlops", "package", "models/model.joblib", "--sample", "rows.csv")
        done = template.run(*package, "--out", served, cwd=project)
        assert done.returncode == 0, done.stderr
        assert f"copying {project}/models/metrics.py, which the model needs" in done.stderr
        (project / "models" / "metrics.py").unlink()
    with MakeServe(tmp_path, MODEL_DIR=project / served) as server:
        assert run(server.curl())["predictions"]


def test_a_module_of_ones_own_is_found_beside_score(tmp_path: Path, project: Path):
    """Plain azmlinfsrv finds it, as in Azure, without the rest of the project."""
    source = shutil.copytree(REPOSITORY / "src", tmp_path / "src")
    (project / "models" / "metrics.py").rename(source / "metrics.py")
    server = Server(project / "models", tmp_path, {}, source, Started)
    try:
        server.wait_until_up()
        assert server.score([[1, 2]]).json()["predictions"] == [pytest.approx(6)]
    finally:
        server.stop()


@pytest.mark.parametrize("workers", few_of([1, 3], [1]))
def test_a_start_that_fails_ends_with_the_one_sentence(tmp_path: Path, steady: Path, workers: int):
    """The sentence comes last and once, whatever the number of workers, without a traceback; the
    exit status says that the model can't be used."""
    file = tmp_path / "my model" / "churn.pkl"
    file.parent.mkdir()
    file.write_bytes((steady / "model.joblib").read_bytes()[:-20])
    with MakeServe(tmp_path, STEADY, MODEL_DIR=file, WORKER_COUNT=workers) as served:
        until(lambda: served.process.poll() is not None, "make ends")
        assert served.process.returncode > 0
        *server, empty, sentence, makes_own = served.output.read_text().splitlines()
    assert makes_own.endswith(f"Error {int(ExitStatus.UNUSABLE)}")
    assert sentence.startswith(
        "Error: churn.pkl is damaged or incomplete, or no model that can be loaded ("
    )
    assert sentence.count("churn.pkl") == 1
    assert (empty, makes_own[:9]) == ("", "make: ***")
    assert workers > 1 or not any(
        "Traceback" in line for line in server
    )  # gunicorn's master may log one of its own


def test_ctrl_c_ends_make_serve(tmp_path: Path, steady: Path):
    """The server ends at once, and no process is left."""
    with MakeServe(tmp_path, STEADY, MODEL_DIR=steady) as served:
        served.curl()
        os.killpg(served.process.pid, signal.SIGINT)
        until(lambda: served.process.poll() is not None, "make ends")
        with pytest.raises(httpx.TransportError):
            HTTP.get(f"http://127.0.0.1:{served.port}/")


def test_the_readmes_packaging_command_works(tmp_path: Path):
    """The command works as written, beside a model and its training data."""
    X, y = support.diabetes()
    X.assign(target=y).to_csv(tmp_path / "train.csv", index=False)
    support.dump(support.demo_estimator(), tmp_path)
    (tmp_path / ".venv").symlink_to(BIN.parent)
    command = re.search(
        r"^\.venv/bin/mlops package .*$", (REPOSITORY / "README.md").read_text(), re.MULTILINE
    )
    assert command is not None
    subprocess.run(command[0], shell=True, cwd=tmp_path, check=True, capture_output=True)
    with MakeServe(tmp_path, MODEL_DIR=tmp_path / "artifact") as served:
        assert run(served.curl())["predictions"]
