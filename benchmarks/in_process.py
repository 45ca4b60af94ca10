"""Serves the demo model within this process, to measure it without a server."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

import support  # noqa: E402  models of the tests; it also adds src/ to sys.path
from azureml_scoring import log  # noqa: E402
from azureml_scoring.application import Application, build  # noqa: E402
from azureml_scoring.models.loading import load  # noqa: E402
from azureml_scoring.settings import Settings  # noqa: E402

ROW = support.ROW


def demo(folder: Path) -> Path:
    """Package the demo model below ``folder``, and silence the log from here on."""
    log.set_up()
    log.lines.stream = io.StringIO()
    X, _ = support.diabetes()
    return support.packaged(support.demo_estimator(), X, folder, name="demo", version="1")


def application(model_dir: Path, **more: Any) -> Application:
    """Build and load an application without a response cache."""
    settings = Settings(azureml_model_dir=model_dir, scoring_cache="off", **more)
    application = build(settings)
    application.lifecycle.load(lambda: load(settings))
    return application
