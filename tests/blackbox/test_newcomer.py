"""What the README promises to somebody who has just arrived."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import support
from blackbox.server import PATIENCE, REPOSITORY, Server, needs, until

pytestmark = pytest.mark.any_worker

BIN = Path(sys.executable).parent


class MakeServe:
    """`make serve` with its output."""

    def __init__(self, folder: Path, **variables: object) -> None:
        needs("make")
        needs("curl")
        self.port = support.free_port()
        self.output = folder / "make.log"
        words = [f"{name}={value}" for name, value in ({"PORT": self.port} | variables).items()]
        outer = {
            name for name in os.environ if name.startswith("MAKE") or name == "MFLAGS"
        }  # of `make test`
        env = {name: value for name, value in os.environ.items() if name not in outer}
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                ["make", "serve", *words],
                cwd=REPOSITORY,
                env=env | Server.worker(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def curl(self) -> str:
        """The command that it prints once it is ready."""

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
    """What an answer says each time, in its order: all but the id and the times."""
    metadata = answer["metadata"]
    passing = ("request_id", "inference_time_ms", "timestamp")
    return [
        ("predictions", answer["predictions"]),
        *((name, None if name in passing else value) for name, value in metadata.items()),
    ]


def test_make_serve_serves_the_demo_and_prints_a_curl_that_works(tmp_path: Path):
    """Pasted into a shell it gives predictions; the README shows both, the curl and the answer."""
    with MakeServe(tmp_path) as served:
        answer = run(served.curl())
        assert set(answer) == {"predictions", "metadata"}
        assert len(answer["predictions"]) == 2
        assert answer["metadata"]["model_name"] == "diabetes-classifier"
        readme = (REPOSITORY / "README.md").read_text()
        assert served.curl().replace(f":{served.port}/", ":5001/") in readme.splitlines()
        (shown,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
        assert lasting(json.loads(shown)) == lasting(answer)


def test_make_serve_takes_a_model_of_ones_own_and_workers(tmp_path: Path):
    """A bare pickle in any folder, PORT and WORKER_COUNT; with a dashboard it prints the
    address."""
    estimator, _ = support.plain_regression()
    folder = support.dump(estimator, tmp_path / "my model", "churn.pkl").parent
    with MakeServe(tmp_path, MODEL_DIR=folder, WORKER_COUNT=2, DASHBOARD="true") as served:
        assert run(served.curl())["predictions"] == [pytest.approx(0)]
        (watch,) = until(
            lambda: re.findall(r"^Watch it: (.*)$", served.output.read_text(), re.MULTILINE),
            "printed",
        )
        assert httpx.get(watch).headers["content-type"].startswith("text/html")
        health = httpx.get(f"http://127.0.0.1:{served.port}/health").json()
        assert health["model_name"] == "churn"
        until(
            lambda: served.output.read_text().count("ready for serving traffic") == 2,
            "both workers are up",
        )


@pytest.mark.parametrize(
    ("cache", "tiers"), [("off", set()), ("memory", {"memory"}), ("redis", {"memory", "redis"})]
)
def test_make_serve_takes_a_cache(tmp_path: Path, cache: str, tiers: set[str]):
    """CACHE=redis brings a real one, which ends with the server, however that ends."""
    with MakeServe(tmp_path, CACHE=cache) as served:
        states = [run(served.curl())["metadata"]["cache"] for _ in range(2)]
        assert states == (["miss", "hit"] if tiers else ["off", "off"])
        block = httpx.get(f"http://127.0.0.1:{served.port}/health").json()["cache"]
        assert {"memory", "redis"} & set(block) == tiers
        if cache == "redis":
            (helper,) = [
                p
                for p in psutil.Process(served.process.pid).children(recursive=True)
                if "local-redis" in p.cmdline()
            ]
            (server,) = helper.children()
            assert block["redis"]["errors"] == 0
    if cache == "redis":
        until(lambda: not (server.is_running() or helper.is_running()), "the local Redis has ended")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_start_that_fails_ends_with_the_one_sentence(tmp_path: Path, workers: int):
    """Alone, after all that the server had to say, without a traceback, and with an exit that is
    not zero.

    It comes once, however many workers fail.
    """
    file = support.dump(support.demo_estimator(), tmp_path / "my model", "churn.pkl")
    file.write_bytes(file.read_bytes()[:1000])
    with MakeServe(tmp_path, MODEL_DIR=file, WORKER_COUNT=workers) as served:
        until(lambda: served.process.poll() is not None, "make ends")
        assert served.process.returncode > 0
        *server, empty, sentence, makes_own = served.output.read_text().splitlines()
    assert sentence.startswith(
        "Error: churn.pkl is damaged or incomplete, or no model that can be loaded ("
    )
    assert sentence.count("churn.pkl") == 1
    assert (empty, makes_own[:9]) == ("", "make: ***")
    assert workers > 1 or not any(
        "Traceback" in line for line in server
    )  # gunicorn's master may log one of its own


def test_ctrl_c_ends_make_serve(tmp_path: Path):
    """At once, and nothing is left running."""
    with MakeServe(tmp_path) as served:
        served.curl()
        os.killpg(served.process.pid, signal.SIGINT)
        until(lambda: served.process.poll() is not None, "make ends")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{served.port}/")


def test_the_readmes_packaging_command_works(tmp_path: Path):
    """As written, beside a model and its training data."""
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


def test_the_wheel_builds_installs_and_serves(
    tmp_path: Path, demo_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """It holds the commands and the folder to deploy, and puts nothing else on the path."""
    site, source = tmp_path / "site", tmp_path / "source"
    for name in ("src", "mlops"):
        shutil.copytree(REPOSITORY / name, source / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        tmp_path,
        source,
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        site,
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    assert {path.name for path in site.iterdir() if "dist-info" not in path.name} == {
        "mlops",
        "bin",
    }
    env = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", "import mlops, validation; print(mlops.SERVING)"],
        env=env, cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()) == site / "mlops" / "serving"
    server = Server(
        demo_model, tmp_path, {"SCORING_DASHBOARD": "true"}, source=site / "mlops" / "serving"
    )
    try:
        server.wait_until_up()
        assert server.score([support.ROW]).json()["predictions"] == [1]
        assert server.get("/dashboard").status_code == 200
    finally:
        server.stop()
