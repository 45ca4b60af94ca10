"""Which failures are worth another try, and after which pause.

429, a 503 that names a code or a pause, and a refused connection: no model has worked on the
request, so it is sent again, as often as the attempts allow. A lost answer, and a 502, 503 or 504
that a gateway gave: scoring changes nothing, so it may be repeated; but the request may be what
killed the worker, and would then kill one after the other, so it is repeated once only. Anything
else stays as it is, whoever asks.
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import httpx

MAX_PAUSE_S = 60.0
"""Whoever is told to wait for longer gets the error at once."""

JITTER = 0.25
"""A pause is up to so much longer, so that who was refused together does not come back together."""


class Again(Enum):
    """How often the same failure is worth another try."""

    NEVER = 0
    ONCE = 1
    WHILE_ATTEMPTS_LAST = 2


class Tries:
    """Counts the tries of one request, ``attempts`` at most."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._made = 0
        self._again_once = True

    def pause_s(self, again: Again, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait after a try that failed, before the next one; None if that was
        the last. ``headers``: of the answer, if there was one."""
        self._made += 1
        worth = again is Again.WHILE_ATTEMPTS_LAST or (again is Again.ONCE and self._again_once)
        if again is Again.ONCE:
            self._again_once = False
        return pause_s(headers, self._made) if worth and self._made < self._attempts else None


def after_status(status: int, document: Any, headers: Mapping[str, str]) -> Again:
    """``document``: the answer's JSON; the service's own errors have a code, a gateway's none."""
    by_service = isinstance(document, dict) and "code" in document
    if status == 429 or (status == 503 and (by_service or "Retry-After" in headers)):
        return Again.WHILE_ATTEMPTS_LAST
    return Again.ONCE if status in (502, 503, 504) and not by_service else Again.NEVER


def after_failure(error: Exception) -> Again:
    """``error``: what httpx raised."""
    if _refused(error):
        return Again.WHILE_ATTEMPTS_LAST
    lost = httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError
    return Again.ONCE if isinstance(error, lost) else Again.NEVER


def pause_s(
    headers: Mapping[str, str],
    attempt: int,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float | None:
    """Return the seconds to wait, or None if the server names more than MAX_PAUSE_S.

    ``retry-after-ms`` is exact: the service gives each client a time of its own. ``Retry-After``,
    and else 1, 2, 4, ..., get a jitter.
    """
    exact = headers.get("retry-after-ms", "")
    if re.fullmatch(r"\d{1,9}", exact, re.ASCII):
        pause, most = int(exact) / 1000, 1.0
    else:
        pause, most = _retry_after_s(headers.get("Retry-After", ""), attempt), 1 + JITTER
    return None if pause > MAX_PAUSE_S else pause * uniform(1, most)


def _retry_after_s(text: str, attempt: int) -> float:
    if re.fullmatch(r"\d{1,9}", text, re.ASCII):
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text[:40])
        return max(0.0, until.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return min(2.0 ** (attempt - 1), MAX_PAUSE_S)


def _refused(error: BaseException | None) -> bool:
    """True if one of the host's addresses refused the connection."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_refused, error.exceptions))
    return error is not None and (
        isinstance(error, ConnectionRefusedError) or _refused(error.__cause__ or error.__context__)
    )
