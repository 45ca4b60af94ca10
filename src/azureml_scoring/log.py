"""The log: one JSON line on standard output for each request and for each event at start and stop.

It has a handler of its own: ``azmlinfsrv`` leaves the root logger at WARNING and puts a prefix
before what is printed, which would break ``parse_json`` in a query.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, TextIO

import orjson

from azureml_scoring import termination_log
from azureml_scoring.errors import StartupError, reason

logger = logging.getLogger("scoring")


def timestamp(seconds: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC with milliseconds:
    2025-11-09T10:00:00.000Z."""
    return _to_the_millisecond(int(seconds * 1000))


@functools.lru_cache(maxsize=8)
def _to_the_millisecond(millis: int) -> str:
    seconds, rest = divmod(millis, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@functools.lru_cache(maxsize=8)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class JsonLines(logging.StreamHandler[TextIO]):
    """A handler that writes each line at once, except that the lines of one thread between
    ``hold_back`` and ``let_go`` are written together."""

    _holder = 0

    def emit(self, record: logging.LogRecord) -> None:
        head = {
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        self.write(json_text(head | getattr(record, "fields", {})) + "\n")

    def write(self, line: str) -> None:
        """Write a line. Requests call this directly: a LogRecord would cost more than the rest of
        their line."""
        if self._holder == threading.get_ident():
            self._held.append(line)
        else:
            self._put(line)

    def hold_back(self) -> None:
        self._held: list[str] = []
        self._holder = threading.get_ident()

    def let_go(self) -> None:
        self._holder = 0
        if self._held:
            self._put("".join(self._held))

    def _put(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # the reader has closed the pipe
            pass


def json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


@functools.lru_cache(maxsize=64)
def text(value: str | None) -> str:
    """Return a text or None as JSON."""
    return json_text(value)


@functools.lru_cache(maxsize=8)
def model_fields(name: str | None, version: str | None) -> str:
    """Return the two fields of the model, for a JSON object."""
    return f'"model_name":{text(name)},"model_version":{text(version)}'


lines = JsonLines(sys.stdout)


def set_up() -> None:
    """Set up the logger. Idempotent: ``init()`` may run more than once in a process, and its caller
    may have replaced stdout."""
    lines.stream = sys.stdout
    logger.handlers = [lines]
    logger.disabled = False  # a server that configures logging by dictConfig disables old loggers
    logger.propagate = False
    logger.setLevel(logging.INFO)


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    logger.log(level, message, extra={"fields": fields})


def startup_failed(error: Exception, environ: Mapping[str, str]) -> None:
    """Log why in one sentence, and keep ``azmlinfsrv`` from burying it under a traceback and a
    listing."""
    if isinstance(error, StartupError):
        sentence, more = str(error), {}
    else:
        sentence = f"init() failed unexpectedly ({reason(error)}); please report it with this line."
        more = {"exception": "".join(traceback.format_exception(error))}
    event(sentence, logging.CRITICAL, **more)
    termination_log.write(sentence, environ)
    logging.getLogger("azmlinfsrv").addFilter(lambda record: False)
