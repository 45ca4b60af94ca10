"""``benchmarks/serve-one``: the script by which others measure us."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import httpx
import joblib
import pytest
from sklearn.ensemble import RandomForestClassifier

import support
from blackbox.server import HTTP, REPOSITORY, Server, until

pytestmark = pytest.mark.any_worker

SERVE_ONE = REPOSITORY / "benchmarks" / "serve-one"


@pytest.mark.parametrize("server", ["azmlinfsrv", "fast"])
def test_a_bare_pickle_is_packaged_and_served(tmp_path: Path, server: str):
    """It works from any directory, without a sample and without the cache."""
    X, y = support.diabetes()
    forest = RandomForestClassifier(5, max_depth=6, random_state=0).fit(X.to_numpy(), y)
    joblib.dump(forest, tmp_path / "model.pkl")
    port = support.free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [SERVE_ONE, server, tmp_path, str(port)],
            cwd=tmp_path,
            env=os.environ | Server.worker(),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:

        def up() -> bool:
            assert process.poll() is None, (tmp_path / "log").read_text()
            with contextlib.suppress(httpx.TransportError):
                return HTTP.get(f"http://127.0.0.1:{port}/readiness").status_code == 200
            return False

        until(up, "it is ready")
        rows = X.head(50).to_numpy().tolist()
        answer = HTTP.post(f"http://127.0.0.1:{port}/score", json={"data": rows}).json()
        assert answer["predictions"] == forest.predict(X.head(50).to_numpy()).tolist()
        assert answer["metadata"]["cache"] == "off"
        assert HTTP.get(f"http://127.0.0.1:{port}/health").json()["backend"] == "onnx"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "usage: serve-one SERVER MODEL_DIR PORT"),
        (["tomcat", ".", "5001"], "there is no server tomcat"),
        (["fast", ".", "port"], "port port can't be used"),
        (["fast", ".", "0"], "has neither a manifest.json nor a model.pkl"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, words: list[str], sentence: str):
    """The sentence says what to do."""
    done = subprocess.run(
        [SERVE_ONE, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
