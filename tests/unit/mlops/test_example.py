from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hostile import ANSWERS, Hostile
from lengths import LogSum
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

import support
from azureml_scoring import settings
from azureml_scoring.application import build
from azureml_scoring.errors import StartupError
from azureml_scoring.models.loading import load
from mlops.cli import main
from mlops.example import example
from mlops.exit_status import ExitStatus
from mlops.serve import announce

SHOWN = {"a table", "times", "three dimensions"}
"""What JSON can hold of the answers of a hostile model."""


def configured(estimator: Any, folder: Path) -> settings.Settings:
    return settings.load({"AZUREML_MODEL_DIR": str(support.dump(estimator, folder).parent)})


def status(body: object, configured: settings.Settings) -> int:
    """Return the status that the service answers with, in this process."""
    application = build(configured)
    application.lifecycle.load(lambda: load(configured))
    answer = application.run(body)
    return int(answer.get("status", 200))


def lengths(factor: float = 1.0) -> Any:
    """Return a model that has no finite answer to an empty text, which a server tries first."""
    return make_pipeline(CountVectorizer(analyzer="char"), LogSum(factor)).fit(["a", "b"])


MODELS = {
    "a text that may not be empty": lengths,
    "a column of texts beside numbers": lambda: support.mixed()[0],
    "codes": lambda: support.codes()[0],
    "texts alone": lambda: support.texts()[0],
    "categories": lambda: support.categories()[0],
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_example_of_a_model_that_is_not_packaged_is_answered(tmp_path: Path, make: Any):
    """The service answers it with 200."""
    options = configured(make(), tmp_path)
    assert status(example(options), options) == 200


def test_a_request_that_is_not_answered_is_not_shown(tmp_path: Path):
    """One sentence is shown instead, whatever the model answers."""
    shown = set()
    for number, how in enumerate(ANSWERS):
        options = configured(Hostile("answer", how), tmp_path / str(number))
        with suppress(StartupError):
            body = example(options)
            assert status(body, options) == 200
            shown.add(how)
    assert shown == SHOWN


def test_the_sentence_says_why_and_what_to_do(tmp_path: Path):
    """The command prints it and exits with 4."""
    folder = support.dump(lengths(float("nan")), tmp_path).parent
    done = CliRunner().invoke(main, ["example", str(folder)])
    assert done.exit_code == ExitStatus.UNUSABLE
    assert done.output == (
        "Error: No request is known that this model answers (500: The model predicted NaN or "
        "infinity, which JSON "
        "can't hold.); package it with `mlops package MODEL --sample DATA --out DIR`, with rows in "
        "DATA that it "
        "answers.\n"
    )


def test_a_packaged_model_that_answers_differently_each_time_is_tried(tmp_path: Path):
    """It has no golden answers that would show that it answers."""
    estimator, frame = support.plain_regression()
    folder = support.packaged(estimator, frame, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["golden_answers"] = {}
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    options = settings.load({"AZUREML_MODEL_DIR": str(folder)})
    assert status(example(options), options) == 200


@contextmanager
def ready() -> Iterator[str]:
    """The URL of a server that says that it is ready."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_serve_shows_a_request_that_is_answered_or_says_that_there_is_none(tmp_path: Path):
    """It does so once the server is ready."""
    with ready() as url:
        for factor, said in (
            (1.0, f"\nReady. Try it:\n\ncurl {url}/score"),
            (math.nan, f"\nReady: {url}. No request"),
        ):
            options = configured(lengths(factor), tmp_path / str(factor))
            assert str(announce(options, url, os.getppid())).startswith(said)
