import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import support
from azureml_scoring.errors import StartupError
from places import SRC


@pytest.fixture
def score(demo_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    import score

    monkeypatch.setenv("AZUREML_MODEL_DIR", str(demo_model))
    monkeypatch.setattr(score, "_application", None)
    score.init()
    return score


@pytest.mark.parametrize(
    "request_",
    [
        json.dumps({"data": [support.ROW]}),
        json.dumps({"data": [support.ROW]}).encode(),
        {"data": [support.ROW]},
        [support.ROW],
        {"data": np.array([support.ROW])},
    ],
)
def test_run_is_a_plain_function_too(score: ModuleType, request_: object):
    """A str, bytes, a dict, a list, and numpy in it: the answer is a dict."""
    answer = score.run(request_)
    assert answer["predictions"] == [1]
    assert answer["metadata"]["model_name"] == "diabetes-classifier"


@pytest.mark.parametrize("request_", [None, "", b"", "null"])
def test_nothing_is_an_empty_request(score: ModuleType, request_: object):
    """The answer says that the body is empty or None."""
    assert score.run(request_)["error"] == "Request body is empty or None"


def test_what_is_no_json_is_told_so(score: ModuleType):
    """A plain call never raises either."""
    assert score.run({"data": [object()]})["code"] == "malformed_json"
    assert score.run(3.5)["code"] == "unknown_form"


def test_the_counters_are_attributes(score: ModuleType):
    """Our errors are counted apart from the clients'."""
    before = score.REQUEST_COUNT
    score.run({"data": [support.ROW]})
    score.run({"data": []})
    assert (score.REQUEST_COUNT - before, score.ERROR_COUNT) == (2, 0)
    assert score.INIT_TIME > 1_600_000_000
    with pytest.raises(AttributeError):
        _ = score.NO_SUCH_COUNT


def test_the_probes_are_functions(score: ModuleType):
    """Each gives a body and a status."""
    assert score.health()[0]["model_version"] == "v1.2.3"
    assert (score.readiness(), score.liveness()) == (
        ({"status": "ready"}, 200),
        ({"status": "alive"}, 200),
    )


def test_before_init_everything_says_so(monkeypatch: pytest.MonkeyPatch):
    """One sentence says that init() has not run."""
    import score

    monkeypatch.setattr(score, "_application", None)
    with pytest.raises(StartupError, match=r"init\(\) has not run"):
        score.run("{}")


def test_a_failed_init_is_one_plain_sentence(tmp_path: Path):
    """It is the last line on standard output and says what to do; the exit status is not 0."""
    code = f"import sys; sys.path.insert(0, {str(SRC)!r}); import score; score.init()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"AZUREML_MODEL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    (line,) = map(json.loads, done.stdout.splitlines())
    assert line["level"] == "critical"
    assert line["message"].startswith(f"No model in {tmp_path}")


def test_the_reason_is_left_where_kubernetes_looks_for_it(tmp_path: Path):
    """It replaces what the file held; if there is no such file, none is made."""
    code = f"import sys; sys.path.insert(0, {str(SRC)!r}); import score; score.init()"
    log = tmp_path / "termination-log"
    env = {
        "SCORING_TERMINATION_LOG": str(log),
        "SCORING_NO": "1",
    }  # the settings themselves are wrong
    run = functools.partial(
        subprocess.run, [sys.executable, "-c", code], env=env, capture_output=True, check=False
    )
    assert run().returncode
    assert not log.exists()
    log.write_text("x" * 1000)
    assert log.read_text() != (sentence := json.loads(run().stdout)["message"])
    assert log.read_text() == f"{sentence}\n"
    assert sentence.startswith("SCORING_NO is not a setting")


def test_a_start_imports_no_library_that_its_model_does_without(tmp_path: Path):
    """scikit-learn, with the pandas that it brings, takes most of a start's time."""
    support.scripted(tmp_path)
    code = (
        f"import sys; sys.path[:0] = [{str(SRC)!r}, {str(support.MODELS)!r}]; "
        "import score; score.init(); print({'sklearn', 'pandas'} & {*sys.modules})"
    )
    env = {"AZUREML_MODEL_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_score_is_wiring_only():
    """The entry script fits on one screen or two."""
    assert len((SRC / "score.py").read_text().splitlines()) <= 80
