"""The log line of one request."""

from __future__ import annotations

import functools
import random
import traceback
from collections.abc import Callable
from typing import Any

from azureml_scoring.errors import Overloaded, OverloadReason, ScoringError
from azureml_scoring.log import json_text, lines, model_fields, text
from azureml_scoring.request import Outcome
from azureml_scoring.shared.measures import REQUEST, STAGES

_STAGES = [(f'"{name}":%.3f', stage) for stage, name in enumerate(STAGES) if stage != REQUEST]


class RequestLog:
    """A hook for ``Service`` that writes the line of a request.

    The line holds no input values. Messages of exceptions may, so they are left out unless
    ``expose_traceback``. Every failed request gets a line, and ``share`` of the successful ones;
    its ``weight`` says how many requests such a line stands for.
    """

    def __init__(
        self,
        *,
        expose_traceback: bool,
        share: float = 1.0,
        lot: Callable[[], float] = random.random,
        **constant: Any,
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
            level = "warning" if outcome.status < 500 else "error"
            more = self._error_fields(error)
            message = (
                f'"Request {outcome.request_id} failed in {outcome.duration_ms:.2f}ms: '
                f"{text(error.message)[1:]}"
            )
        client_id = f'"{outcome.client_request_id}"' if outcome.client_request_id else "null"
        seconds = outcome.seconds
        stages = ",".join(
            [name % (seconds[stage] * 1000) for name, stage in _STAGES if seconds[stage]]
        )
        # Written by hand: by way of a dict it takes three times as long, a seventh of a quick
        # request.
        lines.write(
            f'{{"timestamp":"{outcome.timestamp}","level":"{level}","message":{message},'
            f'"request_id":"{outcome.request_id}","client_request_id":{client_id},'
            f'"trace":"{outcome.trace}","status":{outcome.status},"duration_ms":{outcome.duration_ms:.3f},'
            f'"rows":{outcome.rows},"bytes_in":{outcome.bytes_in},"bytes_out":{outcome.bytes_out},'
            f'"non_finite":{outcome.non_finite},"cache":"{outcome.cache}",'
            f'{model_fields(outcome.model_name, outcome.model_version)},"stages":{{{stages}}}'
            f"{self._constant}{more}}}\n"
        )

    def _error_fields(self, error: ScoringError) -> str:
        fields = _fields_of(
            error.code, error.location, error.reason if isinstance(error, Overloaded) else None
        )
        if error.__cause__ is not None:
            fields += _more({"exception": self._exception(error.__cause__)})
        return fields

    def _exception(self, error: BaseException) -> str:
        if self._expose:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(error.__traceback__)
        return f"{type(error).__name__} at " + " < ".join(
            f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames)
        )


@functools.lru_cache(maxsize=64)
def _fields_of(code: str, location: str | None, reason: OverloadReason | None) -> str:
    return _more({"code": code, "location": location} | ({"reason": reason} if reason else {}))


def _more(fields: dict[str, Any]) -> str:
    """Return the fields as the end of a JSON object, with a comma before them."""
    return "," + json_text(fields)[1:-1] if fields else ""
