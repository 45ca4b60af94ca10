"""Asks the estimator in the process of its own environment."""

from __future__ import annotations

import builtins
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from azureml_scoring.errors import StartupError
from mlops.isolated import wire

WORKER = Path(__file__).with_name("worker.py")

Place = list[Any]
"""The way from what a file holds to an estimator inside of it: steps of [kind, name, place]."""


@contextmanager
def remote(python: Path, code: Sequence[str] = ()) -> Iterator[Remote]:
    """Start the process: ``with remote(python) as process``.

    python: that of the environment. code: folders for its path.
    """
    requests, answers = os.pipe(), os.pipe()
    with tempfile.TemporaryFile() as stderr:
        process = _start(python, code, requests[0], answers[1], stderr)
        os.close(requests[0])
        os.close(answers[1])
        with os.fdopen(requests[1], "wb") as sink, os.fdopen(answers[0], "rb") as source:
            try:
                yield Remote(sink, source, stderr)
            finally:
                process.kill()
                process.communicate()
                with suppress(BrokenPipeError):
                    sink.close()


def _start(
    python: Path, code: Sequence[str], requests: int, answers: int, stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start the process in its own session: only this process gets Ctrl-C from a terminal."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    return subprocess.Popen(  # noqa: S603 our own script
        [str(python), str(WORKER), str(requests), str(answers)],
        pass_fds=[requests, answers],
        env=environment | {"PYTHONPATH": os.pathsep.join(code), "PYTHONNOUSERSITE": "1"},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )


class Remote:
    """Calls the process. What its code raises is raised here, as the built-in exception that it
    is a kind of."""

    def __init__(self, sink: IO[bytes], source: IO[bytes], stderr: IO[bytes]) -> None:
        self._sink = sink
        self._source = source
        self._stderr = stderr

    def load(self, file: Path) -> None:
        """Unpickle the file there."""
        self._ask("load", str(file.absolute()))

    def methods(self, place: Place) -> list[str]:
        """Return the names of the methods that an estimator has there."""
        return list(self._ask("methods", place))

    def versions(self) -> dict[str, str]:
        """Return package -> version of what is installed there, Python's among them."""
        return dict(self._ask("versions"))

    def call(self, place: Place, method: str, rows: Any) -> Any:
        """Return what a method gives for rows: arrays and lists, or a DataFrame."""
        return self._ask("call", place, method, rows)

    def _ask(self, *message: Any) -> Any:
        try:
            wire.write(self._sink, list(message))
            failure, answer = wire.read(self._source)
        except (BrokenPipeError, EOFError):
            raise StartupError(
                f"The process in the model's own environment ended ({self._last_words()}); "
                f"correct the versions by --requirements FILE."
            ) from None
        if failure is not None:
            raise _exception(*failure)
        return answer

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "perhaps for want of memory"


def _exception(kinds: list[str], message: str) -> Exception:
    """Return the exception; RuntimeError for one that has no built-in kind."""
    for name in kinds:
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            with suppress(TypeError):  # UnicodeDecodeError takes more than a message
                return kind(f"{kinds[0]}: {message}" if kinds[0] != name else message)
    return RuntimeError(f"{kinds[0]}: {message}")
