"""One JSON line for each request and for what happens at start and stop, on standard output.

Ours goes by its own handler: ``azmlinfsrv`` leaves the root logger at WARNING and prefixes what is printed, which would
break ``parse_json`` in a query.
"""

from __future__ import annotations

import functools
import logging
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import orjson

import termination_log
from errors import ScoringError, StartupError, reason
from measures import REQUEST, STAGES

if TYPE_CHECKING:
    from exchange import Outcome

logger = logging.getLogger("scoring")


def timestamp(seconds: float) -> str:
    """Of seconds since the epoch: ISO 8601 in UTC with milliseconds, as in 2025-11-09T10:00:00.000Z."""
    return _to_the_millisecond(int(seconds * 1000))


@functools.lru_cache(maxsize=8)
def _to_the_millisecond(millis: int) -> str:
    seconds, rest = divmod(millis, 1000)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@functools.lru_cache(maxsize=8)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class JsonLines(logging.StreamHandler[TextIO]):
    """Writes each line at once, or, between ``hold_back`` and ``let_go``, those of one thread together."""

    _holder = 0

    def emit(self, record: logging.LogRecord) -> None:
        head = {
            "timestamp": timestamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        self.write(_json(head | getattr(record, "fields", {})) + "\n")

    def write(self, line: str) -> None:
        """A request does not go by a LogRecord to get here: that costs more than all else in its line."""
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


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


@functools.lru_cache(maxsize=64)
def text(value: str | None) -> str:
    """As JSON."""
    return _json(value)


@functools.lru_cache(maxsize=8)
def model_fields(name: str | None, version: str | None) -> str:
    """Of a JSON object."""
    return f'"model_name":{text(name)},"model_version":{text(version)}'


lines = JsonLines(sys.stdout)

_STAGES = [(f'"{name}":%.3f', stage) for stage, name in enumerate(STAGES) if stage != REQUEST]


def set_up() -> None:
    """Idempotent: ``init()`` may run more than once in a process, and whoever started it may have replaced stdout."""
    lines.stream = sys.stdout
    logger.handlers = [lines]
    logger.disabled = False  # servers that set up their logging by dictConfig disable what was there
    logger.propagate = False
    logger.setLevel(logging.INFO)


def event(message: str, level: int = logging.INFO, **fields: Any) -> None:
    logger.log(level, message, extra={"fields": fields})


def startup_failed(error: Exception, environ: Mapping[str, str]) -> None:
    """Say why in one sentence, and keep ``azmlinfsrv`` from burying it under a traceback and a listing."""
    if isinstance(error, StartupError):
        sentence, more = str(error), {}
    else:
        sentence = f"init() failed unexpectedly ({reason(error)}); please report it with this line."
        more = {"exception": "".join(traceback.format_exception(error))}
    event(sentence, logging.CRITICAL, **more)
    termination_log.write(sentence, environ)
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
        self._constant = _more(constant)
        self._weight = _more({"weight": 1 / share} if 0 < share < 1 else {})

    def __call__(self, outcome: Outcome) -> None:
        error = outcome.error
        if error is None:
            if self._share < 1 and self._lot() >= self._share:
                return
            level, more = "info", self._weight
            message = f'"Request {outcome.request_id} completed in {outcome.duration_ms:.2f}ms"'
        else:
            level, more = "warning" if outcome.status < 500 else "error", _more(self._told_of(error))
            message = _json(f"Request {outcome.request_id} failed in {outcome.duration_ms:.2f}ms: {error.message}")
        client_id = f'"{outcome.client_request_id}"' if outcome.client_request_id else "null"
        seconds = outcome.seconds
        stages = ",".join([name % (seconds[stage] * 1000) for name, stage in _STAGES if seconds[stage]])
        # Put together by hand: as a dict it would cost three times as much, a seventh of a quick request.
        lines.write(
            f'{{"timestamp":"{outcome.timestamp}","level":"{level}","message":{message},'
            f'"request_id":"{outcome.request_id}","client_request_id":{client_id},'
            f'"trace":"{outcome.trace}","status":{outcome.status},"duration_ms":{outcome.duration_ms:.3f},'
            f'"rows":{outcome.rows},"bytes_in":{outcome.bytes_in},"bytes_out":{outcome.bytes_out},'
            f'"non_finite":{outcome.non_finite},"cache":"{outcome.cache}",'
            f'{model_fields(outcome.model_name, outcome.model_version)},"stages":{{{stages}}}{self._constant}{more}}}\n'
        )

    def _told_of(self, error: ScoringError) -> dict[str, Any]:
        fields = {"code": error.code, "location": error.location}
        if error.__cause__ is not None:
            fields["exception"] = self._exception(error.__cause__)
        return fields

    def _exception(self, error: BaseException) -> str:
        if self._expose:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(error.__traceback__)
        return f"{type(error).__name__} at " + " < ".join(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))


def _more(fields: dict[str, Any]) -> str:
    """As the end of a JSON object."""
    return "," + _json(fields)[1:-1] if fields else ""
