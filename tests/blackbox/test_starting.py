"""From start to ready: loading, failing to load, what the model is called."""

import os
import re
import shutil
from pathlib import Path

import pytest

import support
from blackbox.server import (
    BARE,
    PATIENCE,
    REPOSITORY,
    THREADS,
    serving,
    until,
)
from template import Forked

BACKGROUND = {"SCORING_MODEL_LOAD": "background"}


@pytest.mark.parametrize("configuration", [BARE, THREADS], ids=["bare", "threads"])
def test_loading_in_the_background_opens_the_port_at_once(
    slow_to_load: Path, tmp_path: Path, configuration: dict[str, str]
):
    """Until the model is loaded the server is alive, not ready with a reason, and answers 503 with
    Retry-After."""
    with serving(slow_to_load, tmp_path, **configuration | BACKGROUND, LOAD_SECONDS="4") as server:
        assert server.get("/liveness").status_code == 200
        readiness = server.get("/readiness")
        assert (readiness.status_code, readiness.json()["reason"]) == (
            503,
            "The model is still loading.",
        )
        assert server.get("/health").status_code == 503
        early = server.score([[0]])
        assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (
            503,
            "not_ready",
            "5",
        )
        until(lambda: server.get("/readiness").status_code == 200, "the model is loaded")
        assert server.score([[0]]).status_code == 200


def test_a_failed_load_in_the_background_turns_liveness(slow_to_load: Path, tmp_path: Path):
    """Liveness fails, so that the orchestrator restarts the server, and shows the reason."""
    with serving(slow_to_load, tmp_path, **THREADS | BACKGROUND, LOAD_SECONDS="-1") as server:
        until(lambda: server.get("/liveness").status_code == 503, "loading failed")
        reasons = {server.fresh("GET", "/liveness").json()["reason"] for _ in range(10)}
        assert any("can't be loaded" in reason for reason in reasons)
        assert server.get("/readiness").status_code == 503
        assert server.score([[0]]).status_code == 503


FAILURES = {
    "no model": ({}, r"^No model in .*; put one there or set SCORING_MODEL_PATH"),
    "two models": (
        {"SCORING_MODEL_PATH": "none.pkl"},
        r"^SCORING_MODEL_PATH names .*none\.pkl, which does not exist",
    ),
    "misspelt setting": ({"SCORING_DEADLIN_MS": "1"}, r"did you mean SCORING_DEADLINE_MS\?"),
    "bad value": ({"SCORING_SLOTS": "two"}, r"^SCORING_SLOTS is not usable"),
}


@pytest.mark.parametrize("configuration", [BARE, THREADS], ids=["bare", "threads"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_start_ends_with_one_plain_sentence(
    tmp_path: Path, name: str, configuration: dict[str, str]
):
    """The exit status is not zero, so that the orchestrator notices, and there is no traceback."""
    env, sentence = FAILURES[name]
    empty = tmp_path / "empty"
    empty.mkdir()
    with serving(empty, tmp_path, up=False, **configuration | env) as server:
        until(lambda: server.process.poll() is not None, "the server ends")
        assert server.process.returncode > 0
        messages = {line["message"] for line in server.lines()}
        assert len(messages) == 1
        assert re.search(sentence, messages.pop())
        assert "User's init function failed" not in server.log
        if (
            configuration is BARE
        ):  # of several workers that fail at once, gunicorn's master may print one of its own
            assert "Traceback" not in server.log


def test_a_tampered_model_is_never_served(demo_model: Path, tmp_path: Path):
    """The model is verified before it is unpickled."""
    folder = Path(shutil.copytree(demo_model, tmp_path / "artifact"))
    with (folder / "model.joblib").open("ab") as file:
        file.write(b"\0")
    with serving(folder, tmp_path, up=False) as server:
        until(lambda: server.process.poll() is not None, "the server ends")
        assert "model.joblib is not the file that was packaged" in server.lines()[-1]["message"]


@pytest.mark.any_worker
@pytest.mark.parametrize("kind", ["mixed", "texts", "categories"])
def test_models_on_other_than_numbers_are_served(tmp_path: Path, kind: str):
    """Packaged models with texts, categories and dates answer JSON."""
    estimator, frame = getattr(support, kind)()
    folder = support.packaged(estimator, frame, tmp_path / "m")
    rows = frame.head(4).astype(object).where(frame.head(4).notna(), None).to_numpy().tolist()
    with serving(folder, tmp_path) as server:
        body = server.score({"input_data": {"columns": list(frame.columns), "data": rows}}).json()
        expected = estimator.predict(frame["text"].head(4) if kind == "texts" else frame.head(4))
        assert body["predictions"] == expected.tolist()


def test_name_and_version_come_from_where_azure_mounts_the_model(demo_model: Path, tmp_path: Path):
    """They are read off .../azureml-models/<name>/<version>/<uploaded folder>."""
    mounted = tmp_path / "azureml-models" / "churn" / "7"
    shutil.copytree(demo_model, mounted / "artifact")
    with serving(mounted, tmp_path) as server:
        metadata = server.score({"data": [support.ROW]}).json()["metadata"]
        assert (metadata["model_name"], metadata["model_version"]) == ("churn", "7")


def test_a_port_is_one_servers(scripted_model: Path, tmp_path: Path):
    """A second server on the port says so, and takes no requests from the first."""
    with serving(scripted_model, tmp_path) as server:
        second = Forked(
            server.process.args,
            cwd=REPOSITORY,
            env=os.environ | {"AZUREML_MODEL_DIR": str(scripted_model)},
            output=tmp_path / "second.log",
        )
        assert second.wait(PATIENCE) != 0
        assert "in use" in second.output.read_text()
