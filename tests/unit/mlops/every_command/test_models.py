"""No command shows a traceback, whatever model it is given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import joblib
import pytest
from click.testing import CliRunner, Result
from hostile import ANSWERS, RAISED
from hostile import Hostile as Model
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import support
from azureml_scoring.models.files.manifest import Manifest
from commands import COMMANDS, call, check
from mlops.cli import main
from mlops.exit_status import ExitStatus

STEPS = [
    "its repr",
    "predict_proba",
    *(
        f"the attribute {name}"
        for name in ("n_features_in_", "cacheable", "__sklearn_tags__", "get_params")
    ),
    *(f"the attribute {name}" for name in ("predict", "predict_proba", "transform", "__dict__")),
]
SOME = ("a plain error", "several lines with escapes", "an exit", "another kind")
MODELS = (
    [(step, how, 0) for step in ("unpickling", "the attribute feature_names_in_") for how in RAISED]
    + [(step, how, 0) for step in STEPS for how in SOME]
    + [("", how, call) for call in range(1, 15) for how in SOME[:3]]
    + [("answer", how, 0) for how in ANSWERS]
)


def packaged_or_refused(result: Result, out: Path) -> None:
    """Check that the model was either packaged or refused."""
    check(result)
    assert (result.exit_code == 0) == out.exists(), result.output
    if out.exists():
        Manifest.read(out)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "how", "number"), MODELS)
def test_a_model_that_fails_at_any_step_is_packaged_or_one_sentence(
    good: Path, tmp_path: Path, step: str, how: str, number: int
):
    """That holds for any exception, at any step, and for any answer."""
    file = support.dump(Model(step, how, number), tmp_path)
    result = call("package", good, {"model": file, "out": tmp_path / "out"})
    packaged_or_refused(result, tmp_path / "out")
    if step == "unpickling":
        interrupted = how == "an interrupt"
        assert result.exit_code == (ExitStatus.INTERRUPTED if interrupted else ExitStatus.UNUSABLE)


@pytest.mark.parametrize("how", RAISED)
def test_a_step_of_a_pipeline_that_fails_is_packaged_or_one_sentence(
    good: Path, tmp_path: Path, how: str
):
    """That holds while packaging compiles the model too."""
    estimator = make_pipeline(Model("transform", how), LinearRegression().fit([[1.0, 2.0]], [3.0]))
    file = tmp_path / "model.joblib"
    joblib.dump(estimator, file)
    packaged_or_refused(
        call("package", good, {"model": file, "out": tmp_path / "out"}), tmp_path / "out"
    )


@pytest.fixture(scope="module")
def ready() -> Iterator[int]:
    """Yield the port of a server that says it is ready."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["announce", "example", "load", "serve", "types"])
@pytest.mark.parametrize(
    "step", ["unpickling", "the attribute n_features_in_", "the attribute predict"]
)
def test_a_model_that_is_not_packaged_fails_in_one_sentence(
    good: Path,
    tmp_path: Path,
    refusing: str,
    ready: int,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    step: str,
):
    """That holds for each command that loads a model."""
    for number, how in enumerate(RAISED):
        folder = support.dump(Model(step, how), tmp_path / str(number)).parent
        monkeypatch.setenv("AZUREML_MODEL_DIR", str(folder))
        changed = {"model_dir": folder} if "model_dir" in COMMANDS[name] else {}
        check(call(name, good, {**changed, "AZUREML_MODEL_DIR": folder}, refusing, ready))


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch):
    """The traceback of our own fault is printed for a report; the sentence stays last."""
    monkeypatch.setattr("mlops.demo.make", lambda *_, **__: 1 // 0)
    plain, debug = (
        CliRunner().invoke(main, [*first, "demo", "--out", "out"]) for first in ([], ["--debug"])
    )
    assert plain.output == (
        "Error: mlops demo failed unexpectedly (ZeroDivisionError: integer division or modulo by "
        "zero); `mlops --debug "
        "demo ...` shows where. If the model and the files are right, report it.\n"
    )
    assert "Traceback" in debug.output
    assert debug.output.splitlines()[-1] == plain.output.rstrip()
    assert (plain.exit_code, debug.exit_code) == (ExitStatus.UNEXPECTED,) * 2
