"""Azure ML's contract: ``init()`` for each worker process, ``run()`` for each request. Only wiring.

``REQUEST_COUNT``, ``ERROR_COUNT`` (errors of ours) and ``INIT_TIME`` (seconds since the epoch) are
attributes of this module too, of the whole server: they are summed over its worker processes.
"""

import os
import sys
from pathlib import Path
from typing import Any

# The server only puts the folder there in which it was started.
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


_application: Application | None = None


def init() -> None:
    """Load the model and open the routes. Raises StartupError, whose message is one sentence that
    says what to do."""
    global _application
    log.set_up()
    try:
        _application = start(settings.load(os.environ))
    except Exception as error:
        log.startup_failed(error, os.environ)
        raise


@rawhttp
def run(request: Any) -> Any:
    """Answer the server's request with its response; as a plain function, a str, bytes or dict with
    a dict."""
    return _running().run(request)


def health() -> Probe:
    """-> (body, status): 200 where the model is loaded, else 503."""
    return _running().health.health()


def readiness() -> Probe:
    """-> (body, status): 200 where requests can be handled."""
    return _running().health.readiness()


def liveness() -> Probe:
    """-> (body, status): 503 only where a restart is the remedy."""
    return _running().health.liveness()


def __getattr__(name: str) -> Any:
    counters = {"REQUEST_COUNT": "requests", "ERROR_COUNT": "service_errors"}
    counters |= {"INIT_TIME": "started_at"}
    if name in counters:
        return getattr(_running().health.counts(), counters[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _running() -> Application:
    if _application is None:
        raise StartupError("init() has not run yet; call it first.")
    return _application
