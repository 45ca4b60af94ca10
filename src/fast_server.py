"""Our fast server: ``azmlinfsrv`` itself, with workers of ours. ``python fast_server.py --help``.

It takes what ``azmlinfsrv`` takes, and serves the score.py beside it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from azureml_inference_server_http import amlserver

GRACE = 60
"""Seconds that a worker may take to drain and to finish what is in flight."""

GUNICORN = f"--worker-class fast_worker.FastWorker --keep-alive 75 --graceful-timeout {GRACE} --no-control-socket"
"""Azure ML's images take it too, in GUNICORN_CMD_ARGS with ``--pythonpath`` and this folder before it."""


def main() -> None:
    os.environ["GUNICORN_CMD_ARGS"] = f"{GUNICORN} {os.environ.get('GUNICORN_CMD_ARGS', '')}"
    sys.argv[1:1] = ["--entry_script", str(Path(__file__).with_name("score.py"))]
    amlserver.run()


if __name__ == "__main__":
    main()
