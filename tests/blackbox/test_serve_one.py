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


@pytest.fixture
def bare_pickle(tmp_path: Path) -> Path:
    X, y = support.diabetes()
    forest = RandomForestClassifier(5, max_depth=6, random_state=0).fit(X, y)
    return support.dump(forest, tmp_path / "bare", "model.pkl")


@pytest.fixture
def packaged_model(demo_model: Path) -> Path:
    return demo_model / "model.joblib"


@pytest.mark.parametrize(
    ("server", "kind"), [("azmlinfsrv", "bare_pickle"), ("fast", "packaged_model")]
)
def test_a_bare_pickle_is_packaged_and_an_artifact_served(
    tmp_path: Path, request: pytest.FixtureRequest, server: str, kind: str
):
    """Each server works from any directory, without a sample and without the cache."""
    model: Path = request.getfixturevalue(kind)
    port = support.free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [SERVE_ONE, server, model.parent, str(port)],
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
        rows = support.diabetes()[0].head(50)
        answer = HTTP.post(
            f"http://127.0.0.1:{port}/score", json={"data": rows.values.tolist()}
        ).json()
        assert answer["predictions"] == joblib.load(model).predict(rows).tolist()
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
