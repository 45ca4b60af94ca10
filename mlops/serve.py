"""Serve a model on this machine by ``azmlinfsrv``, as Azure ML does."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from azureml_scoring import settings
from azureml_scoring.errors import StartupError
from azureml_scoring.models.files import artifact, requirements
from azureml_scoring.settings import Settings
from mlops import SERVING, local_redis

GUNICORN = "--threads 64 --keep-alive 75 --graceful-timeout 60 --no-control-socket"
"""Arguments that ``azmlinfsrv`` passes on. The first two are for gunicorn's own worker, if ours
does not take its place: by default it takes one request at a time, probes included
(docs/adr/0001)."""

LOAD_LIMIT_S = 120
"""How long the model may take to load."""


def serve(model_dir: Path, *, port: int, workers: int, cache: str, dashboard: bool) -> NoReturn:
    """Become the server, so that signals reach it; a child prints the curl once it is ready.

    If the cache is redis and the environment names none, one is started that ends with the
    server. Raises StartupError.
    """
    _check_port(port)
    cache, reason = choose_cache(cache, os.environ)
    os.environ["SCORING_CACHE"] = cache
    if cache == "redis" and not _named_redis(os.environ):
        os.environ["REDIS_URL"] = f"redis://127.0.0.1:{local_redis.start()}"
    os.environ["AZUREML_MODEL_DIR"] = str(model_dir.absolute())
    os.environ["WORKER_COUNT"] = str(workers)
    os.environ.setdefault("SCORING_DOCS_PAGE", "true")
    if dashboard:
        os.environ["SCORING_DASHBOARD"] = "true"
    # A wrong folder, setting or package is reported before the server prints anything.
    if packaged := artifact.find(settings.load(os.environ)).manifest:
        requirements.check(packaged.requirements)
    words = command(port)
    subprocess.Popen(
        [sys.executable, "-m", "mlops", "announce", str(os.getpid()), "--port", str(port)]
    )
    os.environ["GUNICORN_CMD_ARGS"] = f"{GUNICORN} {os.environ.get('GUNICORN_CMD_ARGS', '')}"
    print(f"Cache: {cache}, because {reason}.", flush=True)
    os.execv(words[0], words)


def choose_cache(option: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the cache to use and the reason. ``option`` wins unless it is ``auto``."""
    if option != "auto":
        return option, "--cache names it"
    if (cache := environ.get("SCORING_CACHE") or "auto") != "auto":
        return cache, "SCORING_CACHE names it"
    if name := _named_redis(environ):
        return "redis", f"{name} is set"
    return "memory", "neither SCORING_CACHE, REDIS_HOST nor REDIS_URL is set"


def _named_redis(environ: Mapping[str, str]) -> str | None:
    """Return the name of the variable that names a Redis, or None."""
    return next((name for name in ("REDIS_URL", "REDIS_HOST") if environ.get(name)), None)


def command(port: int) -> list[str]:
    """Return the server's command line. Raises StartupError if azmlinfsrv is not installed."""
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        raise StartupError(
            "azmlinfsrv is not installed; run `pip install azureml-inference-server-http`."
        )
    # -P: the current folder's modules must not replace those that the server needs.
    server = [sys.executable, "-P", "-m", "mlops.inference_server"]
    return [*server, "--entry_script", str(SERVING / "score.py"), "--port", str(port)]


def announce(configured: Settings, url: str, server: int) -> str | None:
    """Wait until ``server``, the process that started this one, is ready; return what to print.

    None if the server ended or took longer than LOAD_LIMIT_S.
    """
    # Imported here: example loads the model, and the server must not wait for that.
    from mlops.example import curl, example

    until = time.monotonic() + LOAD_LIMIT_S
    while time.monotonic() < until and os.getppid() == server:
        try:
            urllib.request.urlopen(f"{url}/readiness", timeout=2).close()
            break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    else:
        return None
    pages = f"In a browser: {url}/docs\n" if configured.scoring_docs_page else ""
    pages += f"Watch it: {url}/dashboard\n" if configured.scoring_dashboard else ""
    try:
        return f"\nReady. Try it:\n\n{curl(example(configured), url)}\n{pages}"
    except StartupError as error:
        return f"\nReady: {url}. {error}\n{pages}"


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise StartupError(
                f"Port {port} can't be used ({error.strerror}); choose another one."
            ) from None
