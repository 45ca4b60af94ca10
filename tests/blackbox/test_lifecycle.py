"""From start to stop: loading, failing to load, draining."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

import support
from blackbox.server import (
    BARE,
    GUNICORN,
    ONE_WORKER,
    PATIENCE,
    REPOSITORY,
    THREADS,
    serving,
    until,
)

BACKGROUND = {"SCORING_MODEL_LOAD": "background"}


@pytest.fixture(scope="module")
def slow_to_load(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.scripted(tmp_path_factory.mktemp("slow"), "SlowToLoad")


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


def test_preloaded_workers_have_counters_of_their_own(scripted_model: Path, tmp_path: Path):
    """Counters work if WORKER_PRELOAD runs init() before the workers are forked."""
    with serving(scripted_model, tmp_path, **THREADS | {"WORKER_PRELOAD": "true"}) as server:
        for _ in range(10):
            assert server.fresh("POST", "/score", [[0]]).status_code == 200
        until(lambda: server.get("/health").json()["total_requests"] == 10, "all are counted")
        assert server.get("/readiness").status_code == 200


@pytest.mark.parametrize("group", [False, True], ids=["master", "group"])
def test_sigterm_under_load_loses_nothing(scripted_model: Path, tmp_path: Path, group: bool):
    """Readiness turns 503 while requests are still taken, and every request sent until then is
    answered.

    The signal may go to the master alone, as in a container, or to the whole group, as from a
    terminal.
    """
    with serving(
        scripted_model, tmp_path, **THREADS | {"SCORING_DRAIN_MS": "5000", "SCORING_SLOTS": "8"}
    ) as server:
        turned, statuses, failures = threading.Event(), list[int](), list[Exception]()

        def client() -> None:
            while not turned.is_set():
                try:
                    statuses.append(server.fresh("POST", "/score", [[0.05]]).status_code)
                except httpx.TransportError as error:
                    failures.append(error)

        def slow_client() -> None:
            statuses.append(server.fresh("POST", "/score", [[4.0]]).status_code)

        clients = [threading.Thread(target=work) for work in [client] * 3 + [slow_client] * 1]
        for thread in clients:
            thread.start()
        until(lambda: len(statuses) > 20, "load is flowing")
        (os.killpg if group else os.kill)(server.process.pid, signal.SIGTERM)

        def unready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (
                    server.fresh("GET", "/readiness").json().get("reason")
                    == "The server is shutting down."
                )
            return False

        until(unready, "readiness turns 503")
        answered = len(statuses)
        until(lambda: len(statuses) > answered + 10, "requests are still taken")
        turned.set()  # a load balancer stops sending now
        for thread in clients:
            thread.join()
        assert failures == []
        assert set(statuses) == {200}
        until(lambda: server.process.poll() is not None, "the server ends")
        assert server.process.returncode == 0


def test_sigterm_under_bare_defaults_finishes_the_request(scripted_model: Path, tmp_path: Path):
    """A server with one worker drains too."""
    with serving(scripted_model, tmp_path, SCORING_DRAIN_MS="500") as server:
        statuses: list[int] = []
        slow = threading.Thread(target=lambda: statuses.append(server.score([[2.0]]).status_code))
        slow.start()
        time.sleep(0.5)  # the one worker is busy with it: nothing could tell when it has begun
        os.kill(server.process.pid, signal.SIGTERM)
        slow.join()
        assert statuses == [200]
        until(lambda: server.process.poll() is not None, "the server ends")


def test_sigterm_while_the_model_is_loaded_ends_the_server(slow_to_load: Path, tmp_path: Path):
    """No worker starts to serve after the signal, until its master would kill it."""
    env = {"GUNICORN_CMD_ARGS": f"{GUNICORN} --graceful-timeout 600", "LOAD_SECONDS": "3"}
    with serving(slow_to_load, tmp_path, up=False, **env) as server:
        until(lambda: "Invoking user's init function" in server.log, "it loads")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.process.poll() is not None, "the server ends")


def test_a_port_is_one_servers(scripted_model: Path, tmp_path: Path):
    """A second server on the port says so, and takes no requests from the first."""
    with serving(scripted_model, tmp_path) as server:
        command = server.process.args
        assert isinstance(command, list)
        second = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "AZUREML_MODEL_DIR": str(scripted_model)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert second.returncode != 0
        assert "in use" in second.stdout + second.stderr


@pytest.mark.parametrize("group", [False, True], ids=["master", "group"])
def test_ctrl_c_ends_the_server_without_draining(scripted_model: Path, tmp_path: Path, group: bool):
    """The signal goes to the whole group from a terminal, to the master alone from `kill -INT`."""
    with serving(scripted_model, tmp_path, **THREADS | {"SCORING_DRAIN_MS": "600000"}) as server:
        until(lambda: server.get("/readiness").status_code == 200, "it is ready")
        workers = until(
            lambda: len(server.workers()) == 2 and server.workers(), "both workers are there"
        )
        (os.killpg if group else os.kill)(server.process.pid, signal.SIGINT)
        until(lambda: server.process.poll() is not None, "the server ends")
        assert not any(map(_runs, workers))
        assert "finishing what is in flight" not in server.log


def test_workers_end_with_their_master(scripted_model: Path, tmp_path: Path):
    """Workers do not stay to answer beside those of a restarted server."""
    with serving(scripted_model, tmp_path, **THREADS) as server:
        workers = until(
            lambda: len(server.workers()) == 2 and server.workers(), "both workers are there"
        )
        os.kill(server.process.pid, signal.SIGKILL)
        until(lambda: not any(map(_runs, workers)), "the workers end")


def _runs(pid: int) -> bool:
    """Return False for a zombie: in a container nothing may reap it."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_workers_that_die_again_and_again_are_replaced(scripted_model: Path, tmp_path: Path):
    """Workers are replaced however soon they die, and the others go on."""
    with serving(scripted_model, tmp_path, **THREADS) as server:
        until(lambda: len(server.workers()) == 2, "both workers are there")
        other, *_ = server.workers()
        for _ in range(3):
            dies = next(worker for worker in server.workers() if worker != other)
            os.kill(dies, signal.SIGKILL)
            until(
                lambda dies=dies: len({*server.workers()} - {dies}) == 2, "another worker is there"
            )
        assert other in server.workers()
        until(lambda: server.fresh("POST", "/score", [[0]]).status_code == 200, "it answers")


def test_a_request_leaves_one_line(scripted_model: Path, tmp_path: Path):
    """Flask adds no line of its own, and a probe leaves none."""
    by_flask = ONE_WORKER | {"AML_CORS_ORIGINS": "https://a.example"}
    with serving(scripted_model, tmp_path, **by_flask) as server:
        for _ in range(3):
            server.score([[0]])
            server.get("/readiness")
        until(lambda: server.log.count(" completed in ") == 3, "there is a line for each")
        assert not re.search(r"POST /score|GET /readiness|HTTP Response", server.log)


def test_the_servers_access_log_can_be_had(scripted_model: Path, tmp_path: Path):
    """The server's line comes beside ours for each request."""
    with serving(scripted_model, tmp_path, **ONE_WORKER | {"SCORING_ACCESS_LOG": "true"}) as server:
        server.get("/readiness")
        until(
            lambda: re.search(r"GET /readiness[^\n]* 200", server.log),
            "there is a line for a probe",
        )


def test_two_servers_side_by_side_count_apart(scripted_model: Path, tmp_path: Path):
    """Two servers keep separate counts even in one temporary folder."""
    with serving(scripted_model, tmp_path) as one, serving(scripted_model, tmp_path) as other:
        one.score([[0]])
        totals = [server.get("/health").json()["total_requests"] for server in (one, other)]
        assert totals == [1, 0]
