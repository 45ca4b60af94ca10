"""One process of a job: loads the script, and runs it for each mini-batch that it is sent."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from azureml_scoring.errors import StartupError, reason

READY, PROGRESS, DONE, FAILED, NO_START = "ready", "progress", "done", "failed", "no start"
"""The first part of each message. After it: the job's key; what ``Progress`` takes; the files that
are done; a sentence; a sentence."""


def work(connection: Connection, environment: Mapping[str, str], log_file: Path) -> None:
    """Answer mini-batches until the other end is closed."""
    os.environ.update(environment)
    _redirect(log_file)
    import batch_score

    try:
        batch_score.init()
    except Exception as error:
        more = f"The script does not start ({reason(error)}); see {log_file}."
        connection.send((NO_START, str(error) if isinstance(error, StartupError) else more))
        return

    def progress(path: Path, rows: int, share: float) -> None:
        try:
            connection.send((PROGRESS, path, rows, share))
        except OSError:  # the command has ended, and a new one may do this file
            os._exit(1)

    try:
        connection.send((READY, batch_score.job_key()))
        while True:
            files: list[str] = connection.recv()
            message: tuple[Any, ...]
            try:
                message = (DONE, batch_score.run(files, progress))
            except Exception as error:
                message = (FAILED, reason(error))
            connection.send(message)
    except (EOFError, OSError):
        batch_score.shutdown()


def _redirect(log_file: Path) -> None:
    """Write what the script prints to a file, as the service does."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    file = log_file.open("ab")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file.fileno(), stream.fileno())
