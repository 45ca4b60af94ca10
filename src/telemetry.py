"""One JSON line for each request and for what happens at start and stop, on standard output.

Ours goes by its own handler: ``azmlinfsrv`` leaves the root logger at WARNING and prefixes what is printed, which would
break ``parse_json`` in a query.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from errors import StartupError
from measures import REQUEST, STAGES

if TYPE_CHECKING:
    from service import Outcome

logger = logging.getLogger("scoring")


def timestamp(seconds: float) -> str:
    """Of seconds since the epoch: ISO 8601 in UTC with milliseconds, as in 2025-11-09T10:00:00.000Z."""
    whole, millis = divmod(int(seconds * 1000), 1000)
    return f"{_to_the_second(whole)}.{millis:03d}Z"


@functools.lru_cache(maxsize=8)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class _JsonLines(logging.StreamHandler[TextIO]):
    def emit(self, record: logging.LogRecord) -> None:
        self.write(record.created, record.levelno, record.getMessage(), getattr(record, "fields", {}))

    def write(self, seconds: float, level: int, message: str, fields: dict[str, Any]) -> None:
        """One line. A request does not go by a LogRecord to get here: that costs more than all else in its line."""
        head = {"timestamp": timestamp(seconds), "level": logging.getLevelName(level).lower(), "message": message}
        with contextlib.suppress(OSError, ValueError):  # nobody reads on
            self.stream.write(orjson.dumps(head | fields, option=orjson.OPT_APPEND_NEWLINE).decode())
            self.stream.flush()


_lines = _JsonLines(sys.stdout)

_STAGES = [(name, stage) for stage, name in enumerate(STAGES) if stage != REQUEST]


def set_up() -> None:
    """Idempotent: ``init()`` may run more than once in a process, and whoever started it may have replaced stdout."""
    _lines.stream = sys.stdout
    logger.handlers = [_lines]
    logger.disabled = False  # servers that set up their logging by dictConfig disable what was there
    logger.propagate = False
    logger.setLevel(logging.INFO)


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    logger.log(level, message, extra={"fields": fields})


def startup_failed(error: Exception) -> None:
    """Say why in one sentence, and keep ``azmlinfsrv`` from burying it under a traceback and a listing."""
    if isinstance(error, StartupError):
        event(str(error), logging.CRITICAL)
    else:
        sentence = f"init() failed unexpectedly ({type(error).__name__}: {error}); please report it with this line."
        event(sentence, logging.CRITICAL, exception="".join(traceback.format_exception(error)))
    logging.getLogger("azmlinfsrv").addFilter(lambda record: False)


class RequestLog:
    """A hook for ``Service``: the line of one request.

    It holds no input values; exceptions' messages may, so they are left out unless ``expose_traceback``. ``share`` of
    the requests that succeed get one, whose ``weight`` says how many it stands for; those that fail always do.
    """

    def __init__(
        self, *, expose_traceback: bool, share: float = 1.0, lot: Callable[[], float] = random.random, **constant: Any
    ) -> None:
        self._expose = expose_traceback
        self._share = share
        self._lot = lot
        self._constant = constant

    def __call__(self, outcome: Outcome) -> None:
        error = outcome.error
        if error is None and self._share < 1 and self._lot() >= self._share:
            return
        level = logging.INFO if error is None else logging.WARNING if outcome.status < 500 else logging.ERROR
        if not logger.isEnabledFor(level):
            return
        fields = {
            "request_id": outcome.request_id,
            "client_request_id": outcome.client_request_id,
            "trace": outcome.trace,
            "status": outcome.status,
            "duration_ms": round(outcome.duration_ms, 3),
            "rows": outcome.rows,
            "bytes_in": outcome.bytes_in,
            "bytes_out": outcome.bytes_out,
            "non_finite": outcome.non_finite,
            "cache": outcome.cache,
            "model_name": outcome.model_name,
            "model_version": outcome.model_version,
            "stages": {
                name: round(outcome.seconds[stage] * 1000, 3) for name, stage in _STAGES if outcome.seconds[stage]
            },
            **self._constant,
        }
        if error is None:
            if self._share < 1:
                fields["weight"] = 1 / self._share
            message = f"Request {outcome.request_id} completed in {outcome.duration_ms:.2f}ms"
        else:
            message = f"Request {outcome.request_id} failed in {outcome.duration_ms:.2f}ms: {error.message}"
            fields |= {"code": error.code, "location": error.location}
            if error.__cause__ is not None:
                fields["exception"] = self._exception(error.__cause__)
        _lines.write(time.time(), level, message, fields)

    def _exception(self, error: BaseException) -> str:
        if self._expose:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(error.__traceback__)
        return f"{type(error).__name__} at " + " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))
