"""Azure ML's contract: ``init()`` once in each worker process, ``run()`` once for each request.

``REQUEST_COUNT``, ``ERROR_COUNT`` (our errors) and ``INIT_TIME`` (seconds since the epoch) are
attributes too, for the whole server: the counts of its worker processes are summed.
"""

import os
import sys
from pathlib import Path
from typing import Any

# the server adds only the folder in which it was started
sys.path.insert(0, str(Path(__file__).parent))

from azureml_scoring import opt_out

opt_out.apply(os.environ)

from azureml_scoring import log, settings
from azureml_scoring.application import Application, start
from azureml_scoring.errors import StartupError
from azureml_scoring.signals.health import Probe

try:
    from azureml_inference_server_http.api.aml_request import rawhttp
except ModuleNotFoundError:  # a batch job or a notebook does without the server

    def rawhttp(run: Any) -> Any:
        return run


COUNTERS = {"REQUEST_COUNT": "requests", "ERROR_COUNT": "service_errors", "INIT_TIME": "started_at"}

_application: Application | None = None


def init() -> None:
    """Load the model and open the routes. Raises StartupError, which says what to do."""
    global _application
    log.set_up()
    try:
        _application = start(settings.load(os.environ))
    except Exception as error:
        log.startup_failed(error, os.environ)
        raise


@rawhttp
def run(request: Any) -> Any:
    """Answer a request of the server with a response, and a str, bytes or dict with a dict."""
    return _running().run(request)


def health() -> Probe:
    """Return (body, status): 200 if the model is loaded, else 503."""
    return _running().health.health()


def readiness() -> Probe:
    """Return (body, status): 200 if requests can be handled."""
    return _running().health.readiness()


def liveness() -> Probe:
    """Return (body, status): 503 only if a restart helps."""
    return _running().health.liveness()


def __getattr__(name: str) -> Any:
    if name in COUNTERS:
        return getattr(_running().health.counts(), COUNTERS[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _running() -> Application:
    if _application is None:
        raise StartupError("init() has not run yet; call it first.")
    return _application
