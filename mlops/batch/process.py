"""A worker process, as its starter sees it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mlops.batch.inputs import InputFile
from mlops.batch.worker import work

_CONTEXT = multiprocessing.get_context("spawn")


class WorkerProcess:
    """Has at most one mini-batch at a time. ``failures``: mini-batches that failed in it."""

    def __init__(self, environment: Mapping[str, str], log_file: Path) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=work, args=(theirs, dict(environment), log_file), daemon=True
        )
        self._process.start()
        theirs.close()
        self.ready = False
        self.failures = 0
        self.files: Sequence[InputFile] = ()
        self._started = time.monotonic()

    @property
    def busy_s(self) -> float:
        """Seconds since it got its mini-batch."""
        return time.monotonic() - self._started if self.files else 0.0

    def send(self, files: Sequence[InputFile]) -> None:
        """Have it score these files. Raises OSError if it has ended."""
        self.files, self._started = files, time.monotonic()
        self.connection.send([str(file.path) for file in files])

    def receive(self) -> tuple[Any, ...] | None:
        """Return its next message, or None if it has ended."""
        try:
            message: tuple[Any, ...] = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def end(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def wait(processes: Sequence[WorkerProcess], timeout_s: float) -> list[WorkerProcess]:
    """Return the processes that have a message or have ended."""
    connections: list[Connection] = [process.connection for process in processes]
    ready = set(multiprocessing.connection.wait(connections, timeout_s))
    return [process for process in processes if process.connection in ready]
