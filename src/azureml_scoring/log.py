"""One JSON line for each request and for what happens at start and stop, on standard output.

Ours goes by its own handler: ``azmlinfsrv`` leaves the root logger at WARNING and prefixes what is
printed, which would break ``parse_json`` in a query.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from azureml_scoring import termination_log
from azureml_scoring.errors import StartupError, reason

if TYPE_CHECKING:
    pass

logger = logging.getLogger("scoring")


def timestamp(seconds: float) -> str:
    """Of seconds since the epoch: ISO 8601 in UTC with milliseconds, as in
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
    """Writes each line at once, or, between ``hold_back`` and ``let_go``, those of one thread
    together."""

    _holder = 0

    def emit(self, record: logging.LogRecord) -> None:
        head = {
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        self.write(json_text(head | getattr(record, "fields", {})) + "\n")

    def write(self, line: str) -> None:
        """A request does not go by a LogRecord to get here: that costs more than all else in its
        line."""
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
        except (OSError, ValueError):  # nobody reads on
            pass


def json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


@functools.lru_cache(maxsize=64)
def text(value: str | None) -> str:
    """As JSON."""
    return json_text(value)


@functools.lru_cache(maxsize=8)
def model_fields(name: str | None, version: str | None) -> str:
    """Of a JSON object."""
    return f'"model_name":{text(name)},"model_version":{text(version)}'


lines = JsonLines(sys.stdout)


def set_up() -> None:
    """Idempotent: ``init()`` may run more than once in a process, and whoever started it may have
    replaced stdout."""
    lines.stream = sys.stdout
    logger.handlers = [lines]
    logger.disabled = (
        False  # servers that set up their logging by dictConfig disable what was there
    )
    logger.propagate = False
    logger.setLevel(logging.INFO)


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    logger.log(level, message, extra={"fields": fields})


def startup_failed(error: Exception, environ: Mapping[str, str]) -> None:
    """Say why in one sentence, and keep ``azmlinfsrv`` from burying it under a traceback and a
    listing."""
    if isinstance(error, StartupError):
        sentence, more = str(error), {}
    else:
        sentence = f"init() failed unexpectedly ({reason(error)}); please report it with this line."
        more = {"exception": "".join(traceback.format_exception(error))}
    event(sentence, logging.CRITICAL, **more)
    termination_log.write(sentence, environ)
    logging.getLogger("azmlinfsrv").addFilter(lambda record: False)
