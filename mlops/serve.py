"""Serves a model on this machine by ``azmlinfsrv``, as Azure ML does."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NoReturn

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import artifact
from azureml_scoring.settings import Settings
from mlops import SERVING, local_redis

GUNICORN = "--threads 64 --keep-alive 75 --graceful-timeout 60 --no-control-socket"
"""``azmlinfsrv`` passes these on. The first two are for gunicorn's own worker, should ours not take
its place: it would take one request at a time, probes included (docs/adr/0001)."""

PATIENCE = 120
"""Seconds that the model may take to load before the announcer gives up."""


def serve(model_dir: Path, *, port: int, workers: int, cache: str, dashboard: bool) -> NoReturn:
    """Become the server, so that signals reach it; a child prints the curl once it is ready. Raises
    StartupError.

    With ``cache="redis"`` and no Redis named in the environment, one is started that ends with the
    server.
    """
    _check_port(port)
    os.environ["SCORING_CACHE"] = cache
    if cache == "redis" and not (os.environ.get("REDIS_HOST") or os.environ.get("REDIS_URL")):
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{local_redis.start()}"
    os.environ["AZUREML_MODEL_DIR"] = str(model_dir.absolute())
    os.environ["WORKER_COUNT"] = str(workers)
    if dashboard:
        os.environ["SCORING_DASHBOARD"] = "true"
    artifact.find(
        settings.load(os.environ)
    )  # a wrong folder or setting is told before the server says anything
    words = command(port)
    subprocess.Popen(
        [sys.executable, "-m", "mlops", "announce", str(os.getpid()), "--port", str(port)]
    )
    os.environ["GUNICORN_CMD_ARGS"] = f"{GUNICORN} {os.environ.get('GUNICORN_CMD_ARGS', '')}"
    os.execv(words[0], words)


def command(port: int) -> list[str]:
    """Raises StartupError."""
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        raise StartupError(
            "azmlinfsrv is not installed; run `pip install azureml-inference-server-http`."
        )
    # -P: what lies in the current folder is not to be imported in place of what the server needs
    server = [sys.executable, "-P", "-m", "mlops.inference_server"]
    return [*server, "--entry_script", str(SERVING / "score.py"), "--port", str(port)]


def announce(configured: Settings, url: str, server: int) -> str | None:
    """Wait until ``server``, which started this process, is ready; -> what to say then, or None
    where it never was."""
    from mlops.example import (  # which load the model: the server is not to wait for that
        curl,
        example,
    )

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and os.getppid() == server:
        try:
            urllib.request.urlopen(f"{url}/readiness", timeout=2).close()
            break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        return None
    watch = f"Watch it: {url}/dashboard\n" if configured.scoring_dashboard else ""
    try:
        return f"\nReady. Try it:\n\n{curl(example(configured), url)}\n{watch}"
    except StartupError as error:
        return f"\nReady: {url}. {error}\n{watch}"


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise StartupError(
                f"Port {port} can't be used ({error.strerror}); choose another one."
            ) from None
