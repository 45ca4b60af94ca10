"""The demo model, served within this process: for what is measured without a server."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

import support  # noqa: E402  the tests' models; and the way to ours
from azureml_scoring import log  # noqa: E402
from azureml_scoring.application import Application, build  # noqa: E402
from azureml_scoring.models.loading import load  # noqa: E402
from azureml_scoring.settings import Settings  # noqa: E402

ROW = support.ROW


def demo(folder: Path) -> Path:
    """Packaged below ``folder``. Nothing is logged from here on."""
    log.set_up()
    log.lines.stream = io.StringIO()
    X, _ = support.diabetes()
    return support.packaged(support.demo_estimator(), X, folder, name="demo", version="1")


def application(model_dir: Path, **more: Any) -> Application:
    """Without a response cache."""
    settings = Settings(azureml_model_dir=model_dir, scoring_cache="off", **more)
    made = build(settings)
    made.lifecycle.load(lambda: load(settings))
    return made
